"""Reads the environment (and .env), typed; says in one line what is wrong with it."""

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from cryptography.fernet import Fernet
from django.conf.locale import LANG_INFO
from django.core.exceptions import ImproperlyConfigured
from django.db import NotSupportedError, OperationalError, ProgrammingError
from django.utils.translation import to_language

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")
# What this machine keeps: the embedded PostgreSQL, generated keys, collected static files.
VAR_DIR = Path(BASE_DIR, os.environ.get("BATCHWISE_VAR") or "var").resolve()
POSTGRES_DATA = VAR_DIR / "postgres"

MODES = ("development", "production")
LOG_LEVELS = ("INFO", "DEBUG", "WARNING", "ERROR")
REQUIRED_IN_PRODUCTION = ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "CREDENTIAL_KEYS")
POSTGRES_SCHEMES = ("postgres://", "postgresql://")
POSTGRES_ENGINE = "django.db.backends.postgresql"
NO_SUCH_TABLE_OR_COLUMN = ("42P01", "42703")  # SQLSTATE
NO_POSTGRES = "DATABASE_URL must name a PostgreSQL database: postgres://user:password@host:5432/name."


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Ends the program with 1 and one line on standard error, where the environment is at fault.

    That is: a wrong or missing setting, a database that can't be reached, or one that is too old.
    """
    try:
        yield
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", None) not in NO_SUCH_TABLE_OR_COLUMN:
            raise
        sys.exit("The database is not at this version of Batchwise: run `manage.py migrate` first.")
    except NotSupportedError as error:  # Django: PostgreSQL 14 or later is required
        sys.exit(f"The database in DATABASE_URL can't be used: {error}")
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None):
            raise  # the server answered: no matter of the environment
        sys.exit(f"The database can't be reached, see DATABASE_URL: {' '.join(str(error).split())}")


def is_production() -> bool:
    """Whether BATCHWISE_ENV says so. Raises ImproperlyConfigured where production lacks something."""
    mode = choice("BATCHWISE_ENV", MODES)
    if mode == "production":
        _require()
    return mode == "production"


def _require() -> None:
    missing = [name for name in REQUIRED_IN_PRODUCTION if not env.str(name, "").strip()]
    if missing:
        raise ImproperlyConfigured(
            f"Production needs {', '.join(missing)} in the environment or in .env; see .env.example."
        )


def external_database() -> dict[str, Any] | None:
    """Django's settings of the database in DATABASE_URL; None when it is not set."""
    url = env.str("DATABASE_URL", "").strip()
    if not url:
        return None
    try:
        database = dict(env.db_url_config(url)) if url.startswith(POSTGRES_SCHEMES) else {}
    except (ValueError, ImproperlyConfigured):
        raise ImproperlyConfigured(NO_POSTGRES) from None
    if database.get("ENGINE") != POSTGRES_ENGINE or not database.get("NAME"):
        raise ImproperlyConfigured(NO_POSTGRES)
    return database


def choice(name: str, allowed: Sequence[str]) -> str:
    """One of the allowed words from the environment; the first one when it is not set."""
    value = env.str(name, "").strip() or allowed[0]
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} must be {' or '.join(allowed)}, not {value!r}.")
    return value


def time_zone() -> str:
    """TIME_ZONE, a name of the IANA database; UTC when it is not set."""
    name = env.str("TIME_ZONE", "").strip() or "UTC"
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ImproperlyConfigured(f"TIME_ZONE must be a name such as Europe/Berlin, not {name!r}.") from None
    return name


def languages(folder: Path) -> list[tuple[str, str]]:
    """English, and each language translated in `folder` (as Django lays it out): code and own name."""
    found = {path.parent.parent.name for path in folder.glob("*/LC_MESSAGES/django.mo")}
    codes = ["en", *sorted(to_language(locale) for locale in found)]
    return [(code, LANG_INFO.get(code, {}).get("name_local", code)) for code in codes]


def whole_number(name: str, default: int, least: int = 1) -> int:
    """A whole number from the environment, at least `least`."""
    try:
        value = int(env.str(name, "").strip() or default)
    except ValueError:
        value = least - 1
    if value < least:
        raise ImproperlyConfigured(f"{name} must be a whole number, {least} or more.")
    return value


def bind_address() -> str:
    """Where the web server listens: BIND, or PORT of 127.0.0.1."""
    return os.environ.get("BIND") or f"127.0.0.1:{whole_number('PORT', 8000)}"


def yes_or_no(name: str, default: bool) -> bool:
    """A yes or no from the environment: true, yes, on, 1 or false, no, off, 0."""
    value = env.str(name, "").strip().lower()
    if value not in ("", "true", "yes", "on", "1", "false", "no", "off", "0"):
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in ("true", "yes", "on", "1") if value else default


def words(name: str, default: list[str] | None = None) -> list[str]:
    """A list from the environment, separated by commas."""
    found = [word.strip() for word in env.str(name, "").split(",")]
    return [word for word in found if word] or list(default or [])


def credential_keys(path: Path) -> list[str]:
    """The keys (Fernet) for account passwords; the first encrypts, all of them decrypt.

    From CREDENTIAL_KEYS; without it a development key, kept in this file and made on first use.
    """
    keys = words("CREDENTIAL_KEYS") or [_kept(path, lambda: Fernet.generate_key().decode())]
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise ImproperlyConfigured(
                f"CREDENTIAL_KEYS: key {number} is not a Fernet key; .env.example tells how to make one."
            ) from None
    return keys


def secret_key(path: Path) -> str:
    """SECRET_KEY; without it a development one, kept in this file and made on first use."""
    return env.str("SECRET_KEY", "") or _kept(path, lambda: secrets.token_urlsafe(50))


def _kept(path: Path, make: Callable[[], str]) -> str:
    """What the file holds; made once, whole from the start, however many ask at the same time."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(make())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


def rising_numbers(name: str, default: list[int]) -> list[int]:
    """Whole numbers above 0 from the environment, separated by commas, each above the one before."""
    try:
        values = [int(word) for word in env.str(name, "").split(",") if word.strip()] or default
    except ValueError:
        values = []
    if not values or values[0] < 1 or any(a >= b for a, b in pairwise(values)):
        raise ImproperlyConfigured(f"{name} must be rising whole numbers such as 60,300,1800.")
    return values
