"""`make run`: migrates, sees to a first superuser, then runs web and worker until Ctrl-C."""

import fcntl
import os
import shlex
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import honcho.manager
import psutil
from django.core.exceptions import ImproperlyConfigured
from honcho.environ import parse_procfile
from honcho.printer import Printer

from config import embedded_postgres, processes
from config.environment import (
    BASE_DIR,
    POSTGRES_DATA,
    VAR_DIR,
    bind_address,
    external_database,
    told_in_one_line,
)
from sending import lifeline

# Seconds for a worker to finish the mail in its hand before it is killed.
PATIENCE = 60


def main() -> int:
    """Runs it all; returns the exit code of what ended first, or of the signal."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with told_in_one_line(), _only_one(), _postgres_stopped_at_the_end():
        try:
            require_free_port()
            prepare()
            return supervise()
        except KeyboardInterrupt:
            return 130


def require_free_port() -> None:
    """Raises ImproperlyConfigured where the web server could not listen."""
    host, _, port = bind_address().rpartition(":")
    if not port.isdigit():
        return  # a Unix socket; gunicorn knows more of it
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise ImproperlyConfigured(
                f"Can't listen on {host}:{port} ({error.strerror}): end what does, or choose another PORT."
            ) from None


def prepare() -> None:
    """Makes the database and the static files ready, and the first superuser."""
    import django
    from django.core.management import call_command
    from django.db import connections

    django.setup()
    from django.conf import settings

    call_command("migrate", interactive=False, verbosity=0)
    if settings.PRODUCTION:
        call_command("collectstatic", interactive=False, verbosity=0)
    ensure_superuser()
    connections.close_all()


def ensure_superuser() -> None:
    """Makes the first superuser from DJANGO_SUPERUSER_USERNAME, _PASSWORD and _EMAIL, or asks."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return
    if password := os.environ.get("DJANGO_SUPERUSER_PASSWORD"):
        name = os.environ.get("DJANGO_SUPERUSER_USERNAME") or "admin"
        users.create_superuser(name, os.environ.get("DJANGO_SUPERUSER_EMAIL") or "", password)
        print(f"Made the first user of the admin: {name}", flush=True)
    elif sys.stdin.isatty():
        print("The first user of the admin:")
        call_command("createsuperuser")
    else:
        print("Nobody can log in yet: run `.venv/bin/python manage.py createsuperuser`, or set")
        print("DJANGO_SUPERUSER_USERNAME and DJANGO_SUPERUSER_PASSWORD.", flush=True)


def supervise() -> int:
    """Runs the Procfile's processes until one ends or Ctrl-C; returns the exit code."""
    honcho.manager.KILL_WAIT = PATIENCE
    manager = honcho.manager.Manager(Printer(sys.stdout))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}"
    for name, command in parse_procfile((BASE_DIR / "Procfile").read_text()).processes.items():
        manager.add_process(name, f"exec {command}", env=environment, cwd=str(BASE_DIR))
    if not external_database():
        keep = f"exec python -m config.embedded_postgres keep {shlex.quote(str(POSTGRES_DATA))}"
        manager.add_process("postgres", keep, env=environment, cwd=str(BASE_DIR))
    _end_all_without_us()
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))  # a closed terminal
    manager.loop()
    return manager.returncode or 0


def _end_all_without_us() -> None:
    """What is started from now on is told to end when this process is killed, with nobody left to do so.

    honcho forks a process for each, which does not end by itself.
    """
    ours = os.getpid()

    def end() -> None:
        for child in processes.children(psutil.Process()):
            child.terminate()

    os.register_at_fork(after_in_child=lambda: lifeline.tie(ours, end))


@contextmanager
def _only_one() -> Iterator[None]:
    VAR_DIR.mkdir(parents=True, exist_ok=True)
    with (VAR_DIR / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImproperlyConfigured("Batchwise runs here already: end that with Ctrl-C first.") from None
        yield


@contextmanager
def _postgres_stopped_at_the_end() -> Iterator[None]:
    try:
        yield
    finally:
        embedded_postgres.stop(POSTGRES_DATA)


if __name__ == "__main__":
    raise SystemExit(main())
