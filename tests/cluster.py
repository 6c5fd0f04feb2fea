"""A real qcluster for acceptance tests, and waiting for facts instead of sleeping."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import quote, urlencode

import psutil
import psycopg
from django.db import connection

ROOT = Path(__file__).parent.parent


class Cluster:
    """`manage.py qcluster` in a process group of its own, on the database of the running test.

    Or `manage.py watchdog`: then the cluster is its child, in a group of its own.
    """

    def __init__(self, environment: dict[str, str], command: str = "qcluster"):
        self._log = TemporaryFile("w+")  # noqa: SIM115 - read until the test ends
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", command],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": database_url(), "PYTHONUNBUFFERED": "1", **environment},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def log(self) -> str:
        """What it printed so far."""
        self._log.seek(0)
        return self._log.read()

    def main(self) -> psutil.Process | None:
        """Under a watchdog: the main process of the cluster that runs now."""
        children = psutil.Process(self.process.pid).children()
        return next((child for child in children if _is_cluster(child)), None)

    def kill_tree(self) -> None:
        """kill -9 of all that this process started, and what these started."""
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
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


def _is_cluster(process: psutil.Process) -> bool:
    """Whether it is qcluster's, and not what ran for a moment to look something up."""
    with suppress(psutil.NoSuchProcess):
        return "qcluster" in " ".join(process.cmdline())
    return False


def family(main: psutil.Process) -> list[psutil.Process]:
    """A cluster's sentinel, then its workers, monitor and pusher in the order of their start.

    Waits until all of them are there: WORKERS is taken to be 3.
    """
    wait_for(lambda: len(main.children(recursive=True)) >= 6, what="a whole cluster")
    sentinel = main.children()[0]
    return [sentinel, *sorted(sentinel.children(), key=lambda process: process.pid)]


def has_ended(process: psutil.Process) -> bool:
    """Whether it does not run any more; nobody may have buried it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def database_url() -> str:
    """The DATABASE_URL of the database that this test runs on."""
    settings = connection.settings_dict
    login = quote(settings["USER"] or "", safe="")
    if settings["PASSWORD"]:
        login += ":" + quote(settings["PASSWORD"], safe="")
    where = urlencode({name.lower(): settings[name] for name in ("HOST", "PORT") if settings[name]})
    return f"postgres://{login}@/{settings['NAME']}?{where}"


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


def login() -> dict[str, str | None]:
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    return {key: connection.settings_dict[name] or None for key, name in names.items()}


def wait_for(fact: Callable[[], object], timeout: float = 60, what: str = "") -> None:
    """Returns as soon as fact() is true; fails the test after so many seconds."""
    ends = time.monotonic() + timeout
    while not fact():
        assert time.monotonic() < ends, f"waited {timeout:g} s in vain: {what or fact}"
        time.sleep(0.05)
