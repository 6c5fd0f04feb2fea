"""Gives the demonstration data of its own, made afresh each time: var/demo, never the real ones."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from config import embedded_postgres
from config.environment import BASE_DIR, VAR_DIR

FOLDER = VAR_DIR / "demo"


def run() -> int:
    """Runs the demonstration in a process with settings of its own; returns its exit code."""
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    with _only_one() as is_free:
        if not is_free:
            print("A demonstration is running already: end it with Ctrl-C first.", file=sys.stderr)
            return 1
        embedded_postgres.stop(FOLDER / "postgres")
        shutil.rmtree(FOLDER, ignore_errors=True)
        try:
            return _show()
        finally:
            embedded_postgres.stop(FOLDER / "postgres")


def _show() -> int:
    # Set and empty, not removed: what is in .env must not come back.
    own = {"BATCHWISE_VAR": str(FOLDER), "BATCHWISE_ENV": "development", "DATABASE_URL": ""}
    command = [sys.executable, "-m", "config.demo.show"]
    with subprocess.Popen(command, cwd=BASE_DIR, env={**os.environ, **own}) as show:
        signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches both; the other one ends first
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: show.terminate())
        return show.wait()


@contextmanager
def _only_one() -> Iterator[bool]:
    with (VAR_DIR / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
