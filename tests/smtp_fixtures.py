"""SMTP servers on loopback for the tests: a real one, and one that says whatever it is told to."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from accounts.models import SmtpAccount
from config.demo.smtp_server import Action, LocalSmtpServer

MAIL = b"Subject: Hello\r\n\r\nA line\r\n"
SENDER, TO = "one@sender.example", "person@example.com"
USERS = {"one": "secret-of-one", "two": "secret-of-two"}


def account_at(port: int, **fields: object) -> SmtpAccount:
    """An unsaved account of the first of USERS on this port of 127.0.0.1, without TLS."""
    defaults = {"email": SENDER, "host": "127.0.0.1", "security": "none"}
    login = {"username": "one", "password": USERS["one"]}
    return SmtpAccount(port=port, **{**defaults, **login, **fields})


class Scripted:
    """Answers by (phase, recipient) or by phase alone; see LocalSmtpServer's Script."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str] | str, str | Action] = {}

    def __call__(self, phase: str, login: str, rcpt: str) -> str | Action | None:
        return self.answers.get((phase, rcpt)) or self.answers.get(phase)


@pytest.fixture
def smtp_script() -> Scripted:
    """What the server answers instead of what a server does."""
    return Scripted()


@pytest.fixture
def smtp_server(smtp_script: Scripted) -> Iterator[LocalSmtpServer]:
    """A server without TLS that wants a log-in: see USERS."""
    with LocalSmtpServer(USERS, script=smtp_script) as server:
        yield server


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts who is not told to."""
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that trusts that authority, and checks names."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, settings: Any, tmp_path: Path) -> trustme.CA:
    """That authority, trusted through SMTP_CA_FILE."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    settings.SMTP_CA_FILE = str(path)
    return authority


def certificate_for(authority: trustme.CA, *names: str, **options: Any) -> ssl.SSLContext:
    """A server's context with a certificate for these names or addresses (options: trustme's issue_cert)."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names, **options).configure_cert(context)
    return context


@pytest.fixture
def raw_server() -> Iterator[Callable[..., int]]:
    """raw_server(b"220 hi\\r\\n", b"...") listens, and answers each line it gets with the next piece.

    Returns its port. After the last piece it closes the connection.
    """
    listeners: list[socket.socket] = []

    def start(*pieces: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_recite, args=(listener, pieces), daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.close()


def _recite(listener: socket.socket, pieces: tuple[bytes, ...]) -> None:
    try:
        client, _ = listener.accept()
        with client, client.makefile("rb") as lines:
            for number, piece in enumerate(pieces):
                if number:
                    lines.readline()
                client.sendall(piece)
    except OSError:
        return  # the client left, or the test is over
