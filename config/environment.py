"""Reads the environment, typed, with one clear line when production lacks something."""

import secrets
from pathlib import Path

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

REQUIRED_IN_PRODUCTION = ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "CREDENTIAL_KEYS")


def require(env: environ.Env) -> None:
    """Raises ImproperlyConfigured, naming all that production needs and the environment lacks."""
    missing = [name for name in REQUIRED_IN_PRODUCTION if not env.str(name, "").strip()]
    if missing:
        raise ImproperlyConfigured(
            f"Production needs {', '.join(missing)} in the environment or in .env; see .env.example."
        )


def generated_secret(path: Path) -> str:
    """The development SECRET_KEY kept in this file; makes it on first use."""
    return _kept(path, lambda: secrets.token_urlsafe(50))


def generated_credential_key(path: Path) -> str:
    """The development key (Fernet) for account passwords kept in this file; makes it on first use."""
    return _kept(path, lambda: Fernet.generate_key().decode())


def _kept(path: Path, make) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            path.chmod(0o600)
            file.write(make())
    except FileExistsError:
        pass
    return path.read_text().strip()
