"""The way to a server, for SMTP and IMAP alike: whom TLS trusts, what may go wrong, and what stays secret."""

import base64
import socket
import ssl
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.core.mail.utils import DNS_NAME

from accounts.clock import steady_time
from accounts.models import SmtpAccount
from accounts.secrets import UndecryptableSecret

OWN_NAME_WITHIN = 2.0  # seconds


class UnusableAuthorities(ValueError):
    """SMTP_CA_FILE can't be read, or holds no certificate."""


class NobodyAnswers(TimeoutError):
    """No connection was made in time: not even the machine answered, or a firewall let nothing through."""


class CutShort(TimeoutError):
    """An end of our own, not the server's slowness, cut the wait off; its text says which."""


def seconds_left(ends: float, step: float = float("inf")) -> float:
    """How long the next step may take: its own seconds, or those until the end, by steady_time().

    Raises TimeoutError where there are none.
    """
    left = ends - steady_time()
    if left <= 0:
        raise TimeoutError("the server took too long")
    return min(step, left)


def tls_context() -> ssl.SSLContext:
    """How servers' certificates are checked: against the system's authorities, or those of SMTP_CA_FILE.

    Raises UnusableAuthorities.
    """
    try:
        return ssl.create_default_context(cafile=settings.SMTP_CA_FILE or None)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnusableAuthorities(f"SMTP_CA_FILE can't be used: {reason}") from None


def connect(host: str, port: int, left: Callable[[], float]) -> socket.socket:
    """A connection to the first of the host's addresses that answers.

    left: seconds for the next step; it raises TimeoutError where there are none. Raises OSError.
    """
    refused: OSError = OSError("The host has no address.")
    found = _addresses(host, port, left)
    for place, (family, kind, protocol, _, address) in enumerate(found, 1):
        try:
            sock = socket.socket(family, kind, protocol)  # the kernel may lack the family
        except OSError as error:
            refused = error
            continue
        try:
            # One that nobody answers at leaves the others their time.
            sock.settimeout(left() / (1 if place == len(found) else 2))
            sock.connect(address)
        except OSError as error:
            sock.close()
            refused = NobodyAnswers() if isinstance(error, TimeoutError) else error
            continue
        return sock
    raise refused


def own_name(sock: socket.socket, left: Callable[[], float]) -> str:
    """What this machine calls itself in EHLO over this connection; left: as for connect().

    Its full name; else its address (RFC 5321 section 4.1.4), for many servers refuse a bare name. No name is
    worth a long wait.
    """
    found = _ask(DNS_NAME.get_fqdn, lambda: min(left(), OWN_NAME_WITHIN))
    for name in (*found, socket.gethostname()):
        if isinstance(name, str) and "." in name and name.isascii():
            return name
    address = sock.getsockname()[0].partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _addresses(host: str, port: int, left: Callable[[], float]) -> list[Any]:
    """The host's addresses."""
    found = _ask(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM), left)
    if not found:
        raise TimeoutError("the name server took too long")
    if isinstance(found[0], Exception):
        raise found[0]
    return list(found[0])


def _ask(resolver: Callable[[], Any], left: Callable[[], float]) -> list[Any]:
    """Its answer, or its error, alone in a list; no answer in time: an empty one. The resolver knows no
    time-out, so it is asked in a thread of its own."""
    found: list[Any] = []

    def ask() -> None:
        try:
            found.append(resolver())
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(left())
    return found


def speaks_tls(host: str, port: int, timeout: float) -> bool:
    """Whether what listens there speaks TLS from the start, whoever signed its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        ends = steady_time() + timeout
        with connect(host, port, lambda: seconds_left(ends)) as plain:
            plain.settimeout(timeout)
            with context.wrap_socket(plain, server_hostname=host):
                return True
    except (OSError, ValueError):
        return False


def explain(error: Exception) -> str:
    """What went wrong on the way, in words that the tables of causes (checking, imap) look for."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The server's certificate is not right: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, socket.gaierror | UnicodeError):  # Unicode: a label that IDNA can't carry
        return "The host name is not known."
    if isinstance(error, NobodyAnswers):
        return "Nobody answers there."
    if isinstance(error, CutShort):
        return str(error)
    if isinstance(error, TimeoutError):
        return "The server took too long to answer."
    if isinstance(error, ConnectionRefusedError):
        return "The server refuses the connection."
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def plain_log_in(username: str, password: str) -> str:
    """The one message of SASL PLAIN, in base64 (RFC 4616)."""
    return _base64(f"\0{username}\0{password}")


def without_password(text: str, account: SmtpAccount) -> str:
    """The text, without what a server may quote of the account's log-in that it refuses."""
    try:
        password = account.password.reveal()
    except UndecryptableSecret:
        return text  # never sent
    if not password:
        return text
    for quoted in (plain_log_in(account.username, password), _base64(password), password):
        text = text.replace(quoted, "…")
    return text


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
