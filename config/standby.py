"""Two embedded servers: a primary, and a standby that follows it synchronously. For tests of failover.

A commit is answered once the standby has it on its disk, too. So what a worker was told is recorded is
there after a promotion; and a primary that lives on without its standby answers no commit at all.
"""

import shutil
from pathlib import Path
from typing import Any

import psutil
import psycopg

from config import embedded_postgres
from config.embedded_postgres import DATABASE, SUPERUSER
from config.processes import children, has_ended, kill_all, wait_until

WITHIN = 30.0  # seconds for a standby to follow, a promotion, the end of a killed server


class Pair:
    """primary, standby: their data directories now; a promotion exchanges them."""

    def __init__(self, primary: Path, standby: Path):
        self.primary, self.standby = primary, standby

    def start(self) -> str:
        """Starts both; returns libpq's host for them: two socket directories, separated by a comma."""
        host = embedded_postgres.start(self.primary)["HOST"]
        return f"{host},{self.follow()}"

    def follow(self) -> str:
        """Makes the standby anew, as a copy of the primary that follows it; returns its host.

        From then on no commit of the primary is answered without it.
        """
        embedded_postgres.stop(self.standby, "immediate")
        shutil.rmtree(self.standby, ignore_errors=True)
        host = embedded_postgres.start(self.primary)["HOST"]
        configure(self.primary, wal_retrieve_retry_interval="100ms")  # copied: how soon it follows again
        embedded_postgres.make_private(self.standby)
        embedded_postgres.run(
            self.standby, "pg_basebackup", "-D", ".", "-R", "-X", "stream", "-c", "fast",
            "-h", host, "-U", SUPERUSER,
        )  # fmt: skip
        standby = embedded_postgres.start(self.standby)["HOST"]
        configure(self.primary, synchronous_standby_names="*")  # not copied: it ends with this primary
        _wait(self.is_followed, "the standby does not follow")
        return standby

    def promote(self) -> None:
        """Makes a primary of the standby, whatever the old one does; returns when it takes writes."""
        ask(self.standby, "SELECT pg_promote()")
        self.primary, self.standby = self.standby, self.primary

    def fail_over(self) -> None:
        """The primary's host loses its power, the standby is promoted and gets a standby of its own."""
        cut_power(self.primary)
        self.promote()
        self.follow()

    def stop(self) -> None:
        """Stops both, at once: a primary that waits for its standby would not end in order."""
        for data in (self.primary, self.standby):
            embedded_postgres.stop(data, "immediate")

    def is_followed(self) -> bool:
        """Whether the primary's commits wait for a standby that is there."""
        return ask(self.primary, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1


def configure(data: Path, **settings: str) -> None:
    """Changes settings of this server, for its open sessions, too. Names and values are our own."""
    for name, value in settings.items():
        ask(data, f"ALTER SYSTEM SET {name} = '{value}'")
    ask(data, "SELECT pg_reload_conf()")


def cut_power(data: Path) -> None:
    """kill -9 of all processes of this server at once; returns when they have ended."""
    kill(processes_of(data))


def processes_of(data: Path) -> list[psutil.Process]:
    """All processes of the server that runs on this data."""
    main = psutil.Process(embedded_postgres.pid(data))
    return [main, *children(main, recursive=True)]


def kill(processes: list[psutil.Process]) -> None:
    """kill -9 of all of these at once; returns when they have ended."""
    kill_all(processes)
    _wait(lambda: all(map(has_ended, processes)), "a killed server lives")


def ask(data: Path, statement: str) -> Any:
    """The first value of the answer of this very server; None where there is none."""
    host = embedded_postgres.start(data)["HOST"]
    with psycopg.connect(host=host, user=SUPERUSER, dbname=DATABASE, autocommit=True) as session:
        answer = session.execute(statement)  # type: ignore[call-overload]
        return answer.fetchone()[0] if answer.description else None


def _wait(fact: Any, otherwise: str) -> None:
    if not wait_until(fact, WITHIN):
        raise TimeoutError(f"{otherwise} after {WITHIN:g} s")
