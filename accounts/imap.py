"""The IMAP conversation with one account's mailbox, to read only: secured, logged in, bounded in time.

imap-tools speaks IMAP (RFC 3501). What goes wrong becomes one exception, in words that say what mends
it. Sources of the causes: RFC 3501, RFC 5530 (response codes), what Gmail and Microsoft 365 answer.
"""

import imaplib
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from imap_tools import BaseMailBox, ImapToolsError
from imap_tools.errors import UnexpectedCommandStatusError

from accounts import network
from accounts.clock import steady_time
from accounts.models import SmtpAccount
from accounts.presets import ImapSecurity
from accounts.reply import one_line
from accounts.secrets import UndecryptableSecret

MOST_LITERAL = 1024 * 1024  # bytes; what is asked for are names of folders and headers
MOST_HEARD = 16 * MOST_LITERAL  # in one conversation: imaplib keeps all of it


class MailboxFailure(Exception):
    """The mailbox can't be read: what is wrong and what mends it, without the password."""


@dataclass(frozen=True)
class Cause:
    """Matches "host security port: what went wrong"; the words may name host, port and text."""

    pattern: str
    words: str | Promise


USUAL_PORTS = _("Usual are port 993 with TLS from the start, and port 143 with STARTTLS.")
# First match wins.
CAUSES = (
    Cause(r"name is not known", _("There is no IMAP host “{host}”: check its spelling.")),
    Cause(r"refuses the connection",
          _("Nothing listens on {host}, port {port}: check IMAP host and port. {ports}")),
    Cause(r"SMTP_CA_FILE", _("{text}. Correct SMTP_CA_FILE, or leave it empty.")),
    Cause(r"certificate is not right: .*mismatch",
          _("The certificate of {host} is for another name: enter the IMAP host name that is in it.")),
    Cause(r"certificate is not right: .*(expired|not yet valid)",
          _("The certificate of {host} is not valid now: whoever runs it must renew it; check this "
          "machine's clock, too.")),
    Cause(r"certificate is not right",
          _("The certificate of {host} is not signed by anybody trusted here. For a server with its own "
          "authority, set SMTP_CA_FILE to its certificate.")),
    Cause(r"^\S+ tls \d+: TLS failed",
          _("{host} does not speak TLS from the start on port {port}: choose STARTTLS, or the port for "
          "TLS (usually 993).")),
    Cause(r"TLS failed", _("{host} and this machine agree on no TLS: check IMAP host, port and security.")),
    Cause(r"TLS not supported",
          _("{host} does not offer STARTTLS on port {port}: choose TLS from the start (usually port 993).")),
    Cause(r"^\S+ (none|starttls) 993: .*took too long",
          _("Port 993 of {host} speaks TLS from the start: choose this security, or port 143 with "
            "STARTTLS.")),
    Cause(r"took too long",
          _("{host} took too long to answer: check IMAP host, port and security. {ports}")),
    Cause(r"can't be decrypted",
          _("The stored password can't be decrypted: enter it again, or put the old key back behind "
          "the new one in CREDENTIAL_KEYS.")),
    Cause(r"no log-in", _("The account has no user name and password: enter them, or empty the IMAP host.")),
    Cause(r"beyond ASCII",
          _("User name or password has a character that this log-in can't carry: enter them again.")),
    Cause(r"LOGINDISABLED|PRIVACYREQUIRED",
          _("{host} lets nobody log in without TLS: choose STARTTLS or TLS from the start.")),
    # https://learn.microsoft.com/exchange/clients-and-mobile-in-exchange-online/deprecation-of-basic-authentication-exchange-online
    Cause(r"^\S*(office365\.com|outlook\.com) .*(LOGIN|AUTHENTICATE) failed",
          _("Microsoft 365 takes no password over IMAP any more, it wants OAuth2, which Batchwise does "
          "not speak: empty the IMAP host. Uncertain mail is then for a person to decide.")),
    # https://support.google.com/mail/answer/185833
    Cause(r"application-specific password",
          _("{host} wants an app password: enter one instead of the mailbox's own.")),
    Cause(r"not enabled for IMAP|IMAP access is disabled",
          _("IMAP is turned off for this mailbox: turn it on in Gmail's settings (Forwarding and "
          "POP/IMAP); in Google Workspace the administrator allows it.")),
    Cause(r"too many|OVERQUOTA|\[(LIMIT|UNAVAILABLE|INUSE)\]",
          _("{host} takes no log-in just now ({text}): it is tried again later.")),
    Cause(r"AUTHENTICATIONFAILED|invalid credentials|auth\w* failed|log-?in failed|AUTHORIZATIONFAILED",
          _("{host} does not accept the account's user name with this password over IMAP: enter the "
          "right ones. Gmail wants an app password, and IMAP turned on.")),
    Cause(r"^\S*(gmail|googlemail)\.com .*no Sent folder",
          _("Gmail hides the folder “Sent Mail” from IMAP: show it in Gmail's settings, under Labels.")),
    Cause(r"no Sent folder",
          _("{host} has no Sent folder that is known here: make one named “Sent”, and have the server "
          "keep a copy there of what it accepts; else empty the IMAP host.")),
    Cause(r"can't be told from the mail",
          _("{host} finds something in the Sent folder that is not shown, so nobody knows whether it is the "
          "email: it is looked again later.")),
    Cause(r"", _("{host} can't be read over IMAP ({text}): check IMAP host, port and security. {ports}")),
)  # fmt: skip


class _Bounded(imaplib.IMAP4):
    """A client that is cut off at its deadline: a server that drips would else hold it for ever."""

    _guard: socket.socket | None = None
    _timer: threading.Timer | None = None
    _heard = 0

    def __init__(self, *args: Any, ends: float, **options: Any):
        self._ends = ends  # by steady_time()
        super().__init__(*args, **options)

    def _create_socket(self, timeout: float) -> socket.socket:
        sock = network.connect(self.host, self.port, lambda: network.seconds_left(self._ends, timeout))
        sock.settimeout(timeout)
        # A descriptor of its own: TLS replaces the socket, shutdown() reaches the connection.
        self._guard = socket.socket(fileno=os.dup(sock.fileno()))
        self._timer = threading.Timer(max(0.0, self._ends - steady_time()), self._cut)
        self._timer.daemon = True
        self._timer.start()
        return sock

    def read(self, size: int) -> bytes:
        """A literal, of the length that the server says."""
        if size > MOST_LITERAL:
            raise self.abort("a literal is far too long")
        return self._counted(super().read(size))

    def readline(self) -> bytes:
        return self._counted(super().readline())

    def _counted(self, heard: bytes) -> bytes:
        self._heard += len(heard)
        if self._heard > MOST_HEARD:
            raise self.abort("the server says far too much")
        return heard

    def _cut(self) -> None:
        guard = self._guard
        if guard is not None:
            with suppress(OSError):
                guard.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        timer, guard, self._timer, self._guard = self._timer, self._guard, None, None
        if timer is not None:
            timer.cancel()
        if guard is not None:
            guard.close()

    def shutdown(self) -> None:
        self._release()
        with suppress(OSError):  # a TLS handshake that failed leaves no socket to shut down
            super().shutdown()


class _BoundedTls(_Bounded, imaplib.IMAP4_SSL):
    """The same, with TLS from the start (RFC 8314)."""

    def _create_socket(self, timeout: float) -> socket.socket:
        sock = _Bounded._create_socket(self, timeout)
        try:
            return self.ssl_context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            self._release()
            sock.close()
            raise


class Mailbox(BaseMailBox):
    """imap-tools' mailbox over a bounded client, secured as the account says."""

    def __init__(self, account: SmtpAccount, ends: float):
        self._account, self._ends = account, ends
        super().__init__()

    def _get_mailbox_client(self) -> imaplib.IMAP4:
        account = self._account
        where: dict[str, Any] = {
            "host": account.imap_host,
            "port": account.imap_port,
            "timeout": float(settings.SMTP_TIMEOUT),
            "ends": self._ends,
        }
        if account.imap_security == ImapSecurity.TLS:
            return _BoundedTls(**where, ssl_context=network.tls_context())
        client = _Bounded(**where)
        if account.imap_security == ImapSecurity.STARTTLS:
            try:
                client.starttls(network.tls_context())
                client.untagged_responses.clear()  # said before it: counts for nothing
            except BaseException:
                client.shutdown()
                raise
        return client

    def log_in(self) -> None:
        """Logs in; where the server can, so that any character may stand in a password (RFC 4616)."""
        account = self._account
        password = account.password.reveal()
        if not (account.username and password):
            raise ValueError("no log-in")
        if "AUTH=PLAIN" in self.client.capabilities:
            self.login_utf8(account.username, password, initial_folder=None)
        elif "LOGINDISABLED" in self.client.capabilities:  # RFC 3501 section 6.2.3: of LOGIN alone
            raise ValueError("LOGINDISABLED")
        elif (account.username + password).isascii() and (account.username + password).isprintable():
            self.login(account.username, password, initial_folder=None)
        else:
            raise ValueError("beyond ASCII")


@contextmanager
def open_mailbox(account: SmtpAccount, deadline: float) -> Iterator[Mailbox]:
    """The account's mailbox, logged in, no folder chosen; all that happens inside ends within deadline.

    deadline: seconds in all; SMTP_TIMEOUT holds for one step. Raises MailboxFailure, also for what goes
    wrong in the conversation inside.
    """
    box: Mailbox | None = None
    ends = steady_time() + deadline
    try:
        box = Mailbox(account, ends)
        box.log_in()
        yield box
    except _PROBLEMS as error:
        is_late = isinstance(error, TimeoutError) or steady_time() >= ends
        text = "took too long" if is_late else network.without_password(_text(error), account)
        raise MailboxFailure(explain(account, text)) from None
    finally:
        if box is not None:
            with suppress(*_PROBLEMS):
                box.logout()
            with suppress(*_PROBLEMS):
                box.client.shutdown()


# imaplib and imap-tools take for granted that a server keeps the grammar (RFC 3501, section 9), and stumble
# in these ways where one does not: that is this account's trouble, and must not stop the looks for others.
_STUMBLES = (AttributeError, LookupError, TypeError, AssertionError)
_PROBLEMS = (
    imaplib.IMAP4.error, ImapToolsError, OSError, EOFError, ValueError, UndecryptableSecret, *_STUMBLES
)  # fmt: skip


def explain(account: SmtpAccount, text: str) -> str:
    """What this trouble means for this account, and what mends it. Pure."""
    case = f"{account.imap_host} {account.imap_security} {account.imap_port}: {text}"
    cause = next(cause for cause in CAUSES if re.search(cause.pattern, case, re.IGNORECASE))
    return str(cause.words).format(
        host=account.imap_host, port=account.imap_port, text=text.rstrip("."), ports=USUAL_PORTS
    )


def _text(error: Exception) -> str:
    if not isinstance(error, UnexpectedCommandStatusError):
        return one_line(network.explain(error))
    said = error.command_result[1]
    parts = said if isinstance(said, list) else [said]
    return one_line(b" ".join(part for part in parts if isinstance(part, bytes)) or str(error))
