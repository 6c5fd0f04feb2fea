"""A network between us and a server on a Unix socket, that can fall silent: nothing refused, nothing arrives.

python -m tests.silent_network SOCKET     the relay, which runs on the other side of that network
"""

import fcntl
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from subprocess import PIPE

import pytest

PORT = 5432


@contextmanager
def unchanged_networks() -> Iterator[None]:
    """No network of this machine comes or goes meanwhile: a browser gives up what it is loading then."""
    with _held(fcntl.LOCK_SH):
        yield


@contextmanager
def _held(kind: int) -> Iterator[None]:
    with open(__file__) as file:  # one of all workers of pytest-xdist
        fcntl.flock(file, kind)
        yield


class SilentNetwork:
    """Two ends of a cable, the far one in a network namespace of its own."""

    def __init__(self, name: str):
        self.name = name
        digits = os.getpid() % 250 + 1
        self.near, self.host = f"198.18.{digits}.1", f"198.18.{digits}.2"  # RFC 2544: for tests

    @classmethod
    @contextmanager
    def to(cls, path: str) -> Iterator["SilentNetwork"]:
        """Beyond it the server of this Unix socket answers, at `host`. Skips where it can't be had."""
        network = cls(f"bw{os.getpid()}")
        try:
            with _held(fcntl.LOCK_EX):
                network._lay()
            # Not `ip netns exec`: its copy of all mounts would keep a disk of other tests alive.
            inside = ("nsenter", f"--net=/run/netns/{network.name}")
            command = (*inside, sys.executable, "-m", "tests.silent_network", path)
            with subprocess.Popen(command, stdout=PIPE) as relay:
                try:
                    assert relay.stdout is not None
                    assert relay.stdout.readline() == b"listening\n"
                    yield network
                finally:
                    relay.kill()
        finally:
            with _held(fcntl.LOCK_EX):
                _ip("link", "del", f"{network.name}a")  # with its namespace it goes at no known moment
                _ip("netns", "del", network.name)

    def _lay(self) -> None:
        near, far, inside = f"{self.name}a", f"{self.name}b", ("-n", self.name)
        for arguments in (
            ("netns", "add", self.name),
            ("link", "add", near, "type", "veth", "peer", "name", far, "netns", self.name),
            ("addr", "add", f"{self.near}/30", "dev", near),
            (*inside, "addr", "add", f"{self.host}/30", "dev", far),
            (*inside, "link", "set", far, "up"),
            ("link", "set", near, "up"),
        ):
            if arguments[-1] == "up":  # where there is IPv6: no address of it that comes a while later
                _ip(*arguments[:-1], "addrgenmode", "none")
            if not _ip(*arguments):
                pytest.skip(
                    "a network of its own can't be had here: that takes root, `ip`, and a container that may"
                )

    def fall_silent(self) -> None:
        """The far end does not listen to its address any more; its connections know nothing of it."""
        address = f"{self.host}/30"
        subprocess.run(["ip", "-n", self.name, "addr", "del", address, "dev", f"{self.name}b"], check=True)


def _ip(*arguments: str) -> bool:
    """Whether it could do that."""
    try:
        return subprocess.run(["ip", *arguments], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def relay(path: str) -> None:
    with socket.create_server(("", PORT)) as listener:
        print("listening", flush=True)
        while True:
            client, _ = listener.accept()
            forward(client, path)


def forward(client: socket.socket, path: str) -> None:
    """Connects this client with the server of this Unix socket, from now on."""
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    for ends in ((client, server), (server, client)):
        threading.Thread(target=_pump, args=ends, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    relay(sys.argv[1])
