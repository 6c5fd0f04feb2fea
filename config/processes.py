"""Batchwise as processes, for the demonstration, the chaos run and the tests: started, found, killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO
from urllib.parse import quote, urlencode

import psutil
from django.db import connection

from config.environment import BASE_DIR


def launch(*arguments: str, log: IO, **environment: str) -> subprocess.Popen[bytes]:
    """Starts `python ARGUMENTS` in a session of its own. log: where all goes that it prints.

    environment: what it has besides this process' own.
    """
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=BASE_DIR,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def database_url() -> str:
    """The DATABASE_URL of this process' database. A process that has it starts no server by itself."""
    settings = connection.settings_dict
    login = quote(settings["USER"] or "", safe="")
    if settings["PASSWORD"]:
        login += ":" + quote(settings["PASSWORD"], safe="")
    where = urlencode({name.lower(): settings[name] for name in ("HOST", "PORT") if settings[name]})
    return f"postgres://{login}@/{settings['NAME']}?{where}"


def children(process: psutil.Process | None, *, recursive: bool = False) -> list[psutil.Process]:
    """What it started, oldest first; nothing where it, or they, have ended."""
    with suppress(psutil.Error):
        return process.children(recursive=recursive) if process else []
    return []


def cluster_of(watchdog: int) -> psutil.Process | None:
    """The main process of the cluster that this watchdog (pid) runs now; None while there is none."""
    with suppress(psutil.Error):
        # Not what runs for a moment to look something up.
        return next((p for p in children(psutil.Process(watchdog)) if "qcluster" in title(p)), None)
    return None


def title(process: psutil.Process) -> str:
    """Its command line, or what it calls itself; "" where it has ended."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def has_ended(process: psutil.Process) -> bool:
    """Whether it does not run any more; nobody may have buried it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """kill -9, none before the other has a chance to notice: all are stopped first."""
    processes = list(processes)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(number)


def wait_until(fact: Callable[[], object], seconds: float) -> bool:
    """Whether fact() came true within so many seconds."""
    ends = time.monotonic() + seconds
    while not (is_true := fact()) and time.monotonic() < ends:
        time.sleep(0.02)
    return bool(is_true)
