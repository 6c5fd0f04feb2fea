"""Wrong settings: one line that says what to do, exit code 1, no traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config import environment

ROOT = Path(__file__).parent.parent
COMMANDS = (
    ["manage.py", "migrate", "--check"],
    ["manage.py", "qcluster"],
    ["-m", "gunicorn", "--config", "config/gunicorn.py", "--check-config", "config.wsgi"],
)
SOURCES = ("environment.py", "settings.py", "gunicorn.py", "run.py")
PRODUCTION = {
    "BATCHWISE_ENV": "production",
    "SECRET_KEY": "k" * 60,
    "ALLOWED_HOSTS": "mail.example.org",
    "DATABASE_URL": "postgres://nobody:secret-word@127.0.0.1:1/nothing",
    "CREDENTIAL_KEYS": Fernet.generate_key().decode(),
}


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_production_names_in_one_line_all_that_it_lacks(command):
    lacking = dict.fromkeys(["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "CREDENTIAL_KEYS"], "")
    ended = run(*command, BATCHWISE_ENV="production", **lacking)
    assert ended.returncode == 1
    assert ended.stderr == (
        "Production needs SECRET_KEY, ALLOWED_HOSTS, DATABASE_URL, CREDENTIAL_KEYS in the environment "
        "or in .env; see .env.example.\n"
    )


def test_a_database_that_was_not_migrated_is_told_with_what_to_do(tmp_path):
    tmp_path.chmod(0o755)
    ended = run("manage.py", "queue_status", BATCHWISE_VAR=str(tmp_path), DATABASE_URL="")
    run("-m", "config.embedded_postgres", "stop", BATCHWISE_VAR=str(tmp_path))
    assert (ended.returncode, ended.stderr) == (
        1, "The database is not at this version of Batchwise: run `manage.py migrate` first.\n",
    )  # fmt: skip


def test_database_url_takes_several_hosts_each_with_its_port(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://b:secret@db1:5432,db2:5433/batchwise")
    found = environment.external_database()
    assert (found["HOST"], str(found["PORT"]), found["NAME"]) == ("db1,db2", "5432,5433", "batchwise")


@pytest.mark.parametrize("name", ["SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "CREDENTIAL_KEYS"])
def test_production_names_the_one_thing_that_it_lacks(name):
    ended = run("manage.py", "check", **{**PRODUCTION, name: " "})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Production needs {name} in the environment")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", "mail", "must name a PostgreSQL database"),
        ("DATABASE_URL", "sqlite:///mail.db", "must name a PostgreSQL database"),
        ("DATABASE_URL", "postgres://host:port/mail", "must name a PostgreSQL database"),
        ("DATABASE_URL", "postgres://host", "must name a PostgreSQL database"),
        ("CREDENTIAL_KEYS", "short", "key 1 is not a Fernet key"),
        ("BATCHWISE_ENV", "prod", "must be development or production, not 'prod'"),
        ("WORKERS", "many", "must be a whole number, 1 or more"),
        ("SMTP_TIMEOUT", "0", "must be a whole number, 1 or more"),
        ("SENT_FOLDER_LOOKS", "60,30", "must be rising whole numbers"),
        ("TIME_ZONE", "Nowhere", "must be a name such as Europe/Berlin"),
        ("LOG_LEVEL", "loud", "must be INFO or DEBUG"),
        ("SECURE_SSL_REDIRECT", "perhaps", "must be true or false"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(name, value, says):
    ended = run("manage.py", "check", **{**PRODUCTION, name: value})
    assert ended.returncode == 1
    assert ended.stderr.startswith(name)
    assert says in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_database_that_is_not_there_is_told_in_one_line_without_its_password():
    ended = run("manage.py", "migrate", **PRODUCTION)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The database can't be reached, see DATABASE_URL: ")
    assert ended.stderr.count("\n") == 1
    assert "secret-word" not in ended.stderr


def test_a_wrong_password_is_never_shown():
    ended = run("manage.py", "check", **{**PRODUCTION, "DATABASE_URL": "mysql://me:secret-word@host/x"})
    assert ended.returncode == 1
    assert "secret-word" not in ended.stderr + ended.stdout


def test_the_production_example_names_every_variable_that_is_read():
    functions = r"env\.str|whole_number|rising_numbers|yes_or_no|words|choice|environ\.get"
    readers = rf"""(?:{functions})\(\s*["']([A-Z_]+)["']"""
    code = "".join((ROOT / "config" / name).read_text() for name in SOURCES)
    read = set(re.findall(readers, code))
    listed = set(re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert {"SECRET_KEY", "WORKERS", "BIND", "PORT", "DJANGO_SUPERUSER_EMAIL"} <= read
    assert read - listed == set()
    assert listed - read == set()
