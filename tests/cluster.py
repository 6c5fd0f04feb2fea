"""A real qcluster for acceptance tests, and waiting for facts instead of sleeping."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

import psutil
import psycopg
from django.core.management import call_command
from django.db import connection

from config.embedded_postgres import DATABASE, SUPERUSER
from config.processes import children, cluster_of, database_url, kill_all, launch, wait_until

ROOT = Path(__file__).parent.parent


class Cluster:
    """`manage.py qcluster` in a process group of its own, on the database of the running test.

    Or `manage.py watchdog`: then the cluster is its child, in a group of its own.
    """

    def __init__(self, environment: dict[str, str], command: str = "qcluster"):
        self._log = TemporaryFile("w+")  # noqa: SIM115 - read until the test ends
        self.process = launch(
            "manage.py", command, log=self._log, **{"DATABASE_URL": database_url(), **environment}
        )

    @property
    def log(self) -> str:
        """What it printed so far."""
        self._log.seek(0)
        return self._log.read()

    def main(self) -> psutil.Process | None:
        """Under a watchdog: the main process of the cluster that runs now."""
        return cluster_of(self.process.pid)

    def kill_tree(self) -> None:
        """kill -9 of all that this process started, and what these started."""
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            kill_all([main, *children(main, recursive=True)])
        self.kill_group()

    def kill_group(self) -> None:
        """kill -9 of the main process and all its children, at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def terminate_group(self, timeout: float = 30) -> None:
        """SIGTERM to the whole group, as honcho does; waits for its end."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(timeout)


def family(main: psutil.Process) -> list[psutil.Process]:
    """A cluster's sentinel, then its workers, monitor and pusher in the order of their start.

    Waits until all of them are there: WORKERS is taken to be 3.
    """
    wait_for(lambda: len(main.children(recursive=True)) >= 6, what="a whole cluster")
    sentinel = main.children()[0]
    return [sentinel, *sorted(sentinel.children(), key=lambda process: process.pid)]


@contextmanager
def closed_database() -> Iterator[None]:
    """The test's database lets nobody in, and throws out who is in."""
    name = connection.settings_dict["NAME"]
    connection.close()
    with psycopg.connect(dbname="postgres", autocommit=True, **login()) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        try:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            yield
        finally:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


@contextmanager
def hung_database() -> Iterator[None]:
    """The processes that serve the test's database are frozen, but for that of this test's connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        frozen = [psutil.Process(pid) for (pid,) in cursor.fetchall()]
    for process in frozen:
        process.suspend()
    try:
        yield
    finally:
        for process in frozen:
            process.resume()


@contextmanager
def another_server(hosts: str) -> Iterator[None]:
    """The test's database is, empty, the one of this embedded server, or of these (libpq's host)."""
    names = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
    usual = {name: connection.settings_dict[name] for name in names}
    connection.close()
    connection.settings_dict.update(NAME=DATABASE, USER=SUPERUSER, PASSWORD="", HOST=hosts, PORT="")
    try:
        if connection.introspection.table_names():
            call_command("flush", interactive=False, verbosity=0)
        else:
            call_command("migrate", interactive=False, verbosity=0)
        yield
    finally:
        connection.close()
        connection.settings_dict.update(usual)


def login() -> dict[str, str | None]:
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    return {key: connection.settings_dict[name] or None for key, name in names.items()}


def wait_for(fact: Callable[[], object], timeout: float = 60, what: str = "") -> None:
    """Returns as soon as fact() is true; fails the test after so many seconds."""
    assert wait_until(fact, timeout), f"waited {timeout:g} s in vain: {what or fact}"
