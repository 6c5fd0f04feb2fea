"""Faults of the database, and how the harness itself lives with them."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psycopg
from django.db import Error, connection

from config import embedded_postgres

Result = TypeVar("Result")
OURS = "chaos"  # the application name of sessions that no fault ends

TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> %s
"""
# What a forgotten session may hold for a while.
HELD = {
    "live batches": "SELECT 1 FROM sending_batch WHERE finished IS NULL FOR UPDATE",
    "accounts": "SELECT 1 FROM accounts_smtpaccount FOR UPDATE",
    "mails in sending": "SELECT 1 FROM sending_queuedemail WHERE status = 'sending' FOR UPDATE",
    "the knobs": "SELECT 1 FROM sending_pacing FOR UPDATE",
    "campaigns": "SELECT 1 FROM campaigns_campaign FOR UPDATE",
}


def patiently(ask: Callable[[], Result], seconds: float = 90) -> Result:
    """Asks, again and again while the database is away or ends the session."""
    ends = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except (Error, psycopg.Error):
            connection.close()
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


def restart(how: str, data: Path) -> None:
    """Ends the server of this data directory, "fast", "immediate" or by "kill -9", and starts it again."""
    if how == "kill -9":
        embedded_postgres.kill(data)
    else:
        embedded_postgres.stop(data, how)
    embedded_postgres.start(data)


def terminate_sessions(seconds: float, strikes: Callable[[], None]) -> None:
    """Ends all sessions of others, again and again for so long; calls strikes once it has ended any."""
    ends = time.monotonic() + seconds
    with suppress(psycopg.Error), _session() as session:
        while time.monotonic() < ends:
            if session.execute(TERMINATE, [OURS]).fetchone()[0]:
                strikes()
            time.sleep(0.2)


def hold_rows(what: str, seconds: float, strikes: Callable[[], None]) -> None:
    """Sits idle in a transaction that has locked these rows (a key of HELD); calls strikes once it has."""
    with suppress(psycopg.Error), _session() as session:
        session.execute("BEGIN")
        session.execute("SET LOCAL lock_timeout = '2s'")
        if session.execute(HELD[what]).fetchone():
            strikes()
            time.sleep(seconds)
        session.execute("ROLLBACK")


def some_rows(draw: random.Random) -> str:
    return draw.choice(list(HELD))


def _session() -> psycopg.Connection:
    settings = connection.settings_dict
    return psycopg.connect(
        host=settings["HOST"], user=settings["USER"], dbname=settings["NAME"],
        target_session_attrs="read-write", application_name=OURS, autocommit=True, connect_timeout=5,
    )  # fmt: skip
