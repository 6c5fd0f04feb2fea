"""The processes of the demonstration: real ones, each with a log file, ended together."""

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from config.processes import launch


class Processes:
    """Child processes that live as long as the context."""

    def __init__(self, logs: Path):
        self.logs = logs
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        """Ends all, the last one started first: no worker loses its SMTP server in mid-mail."""
        for process in reversed(self.running.values()):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
            with suppress(ProcessLookupError):  # children whose parent was killed
                os.killpg(process.pid, signal.SIGKILL)

    def start(self, name: str, *arguments: str) -> None:
        """Starts `python ARGUMENTS` in the background; its output goes to NAME.log."""
        with self.log(name).open("ab") as log:
            self.running[name] = launch(*arguments, log=log)

    def log(self, name: str) -> Path:
        """Where the process' output is."""
        return self.logs / f"{name}.log"

    def first_that_ended(self) -> str:
        """The name of a process that does not run any more, or ""."""
        return next((name for name, process in self.running.items() if process.poll() is not None), "")


def free_port(preferred: int) -> int:
    """The preferred port of 127.0.0.1, or any other free one where it is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no port is free on 127.0.0.1")


def listens(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
