"""The SMTP conversation with one account's server, phase by phase.

smtplib is driven command by command, never by sendmail(): only so is it known in which phase a
conversation broke, and whether the final dot may have reached the server (RFC 1047).
"""

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.mail.utils import DNS_NAME

from accounts.models import SmtpAccount
from accounts.phases import Phase
from accounts.presets import Security
from accounts.secrets import UndecryptableSecret

MAX_REPLY_LINES = 100
MAX_TEXT = 500


@dataclass(frozen=True)
class SmtpReply:
    """A server's answer: reply code (RFC 5321), enhanced status code (RFC 3463) or "", text."""

    code: int
    enhanced_code: str
    text: str


class SmtpFailure(Exception):
    """A conversation that did not end in acceptance.

    code is None where no reply came. after_dot: no reply came, and the final dot may have reached
    the server, so the message may have been accepted.
    """

    def __init__(
        self,
        phase: Phase,
        text: str,
        code: int | None = None,
        enhanced_code: str = "",
        *,
        after_dot: bool = False,
    ):
        self.phase, self.code, self.enhanced_code = phase, code, enhanced_code
        self.text, self.after_dot = one_line(text), after_dot
        super().__init__(" ".join(str(part) for part in (phase, code, enhanced_code, self.text) if part))


def one_line(text: str | bytes) -> str:
    """Printable, on one line, at most 500 characters: fit for a log and a screen."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:MAX_TEXT]


class _Smtp(smtplib.SMTP):
    """smtplib's client, bounded in how much of a reply it reads and in how long one mail takes."""

    ends = float("inf")  # by time.monotonic()
    step = 20.0  # seconds for one read or write

    def hurry(self) -> None:
        """Gives the next step its time: the step's own, or what is left of the mail's."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server took too long")
        if self.sock:
            self.sock.settimeout(min(self.step, left))

    def getreply(self) -> tuple[int, bytes]:
        lines: list[bytes] = []
        if self.file is None:
            self.file = self.sock.makefile("rb")
        while True:
            self.hurry()
            line = self.file.readline(smtplib._MAXLINE + 1)  # type: ignore[attr-defined]
            if not line:
                raise smtplib.SMTPServerDisconnected("the server closed the connection")
            if len(line) > smtplib._MAXLINE or len(lines) >= MAX_REPLY_LINES:  # type: ignore[attr-defined]
                raise smtplib.SMTPServerDisconnected("the server's reply has no end")
            lines.append(line[4:].strip(b" \t\r\n"))
            if not re.match(rb"[2-5]\d\d(?=[ \r\n-])", line):
                raise smtplib.SMTPServerDisconnected(f"not an SMTP reply: {one_line(line[:80])}")
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    def send(self, s: Any) -> None:
        self.hurry()
        super().send(s)


class _SmtpTls(_Smtp, smtplib.SMTP_SSL):
    """The same, with TLS from the start (RFC 8314)."""


class SmtpConnection:
    """One connection of one account: opened once, used for many mails.

    timeout: seconds for one step; deadline: seconds for opening, and for one mail, in all.
    tls_context: how certificates are checked; by default against the system's authorities.
    """

    def __init__(
        self,
        account: SmtpAccount,
        *,
        timeout: float | None = None,
        deadline: float = 60,
        tls_context: ssl.SSLContext | None = None,
    ):
        self.account = account
        self.timeout = timeout or settings.SMTP_TIMEOUT
        self.deadline = deadline
        self.tls_context = tls_context or ssl.create_default_context(cafile=settings.SMTP_CA_FILE or None)
        self._smtp: _Smtp | None = None

    @property
    def is_open(self) -> bool:
        return self._smtp is not None and self._smtp.sock is not None

    def open(self) -> None:
        """Connects, secures and logs in. Raises SmtpFailure in phase CONNECT, TLS or AUTH."""
        try:
            self._open()
        except SmtpFailure:
            self.close()
            raise

    def _open(self) -> None:
        with self._phase(Phase.CONNECT):
            self._smtp = smtp = self._connect()
            self._expect(Phase.CONNECT, smtp.ehlo(), 250)
        if self.account.security == Security.STARTTLS:
            with self._phase(Phase.TLS):
                self._starttls(smtp)
        if self.account.username:
            with self._phase(Phase.AUTH):
                self._log_in(smtp)

    def send(self, mail_from: str, rcpt: str, message: bytes) -> SmtpReply:
        """Hands one message over. Returns the reply that accepts it; raises SmtpFailure.

        After a refusal the connection serves the next mail; after a loss is_open is False.
        """
        smtp = self._smtp
        if smtp is None or smtp.sock is None:
            raise SmtpFailure(Phase.CONNECT, "The connection is closed.")
        smtp.ends = time.monotonic() + self.deadline
        mail_from, rcpt = _ascii_domain(mail_from), _ascii_domain(rcpt)
        with self._phase(Phase.MAIL):
            self._expect(Phase.MAIL, smtp.mail(mail_from, self._mail_options(smtp, mail_from, rcpt)), 250)
        with self._phase(Phase.RCPT):
            self._expect(Phase.RCPT, smtp.rcpt(rcpt), 250, 251)
        with self._phase(Phase.DATA):
            self._expect(Phase.DATA, smtp.docmd("DATA"), 354)
            smtp.send(_transparent(message))
        with self._phase(Phase.DOT):
            smtp.send(b".\r\n")
            return self._expect(Phase.DOT, smtp.getreply(), 250)

    def close(self) -> None:
        """Says QUIT where there is still somebody to say it to. Never raises."""
        smtp, self._smtp = self._smtp, None
        if smtp is None or smtp.sock is None:
            return
        try:
            smtp.ends = time.monotonic() + 5
            smtp.quit()
        except (smtplib.SMTPException, OSError, ValueError):
            smtp.close()

    def _connect(self) -> _Smtp:
        factory: Any = _Smtp
        options: dict[str, Any] = {}
        if self.account.security == Security.TLS:
            factory, options = _SmtpTls, {"context": self.tls_context}
        smtp = factory(local_hostname=DNS_NAME.get_fqdn(), timeout=self.timeout, **options)
        smtp.step, smtp.ends = self.timeout, time.monotonic() + self.deadline
        # smtplib learns the name to check a certificate against only when it connects by itself.
        smtp._host = self.account.host
        self._expect(Phase.CONNECT, smtp.connect(self.account.host, self.account.port), 220)
        return smtp

    def _starttls(self, smtp: _Smtp) -> None:
        if not smtp.has_extn("starttls"):
            raise SmtpFailure(Phase.TLS, "The server does not offer STARTTLS.")
        self._expect(Phase.TLS, smtp.docmd("STARTTLS"), 220)
        assert smtp.sock is not None
        smtp.sock = self.tls_context.wrap_socket(smtp.sock, server_hostname=self.account.host)
        # RFC 3207: what was said before TLS counts for nothing.
        smtp.file = None
        smtp.helo_resp = smtp.ehlo_resp = None
        smtp.esmtp_features = {}
        smtp.does_esmtp = False
        self._expect(Phase.TLS, smtp.ehlo(), 250)

    def _log_in(self, smtp: _Smtp) -> None:
        if not smtp.has_extn("auth"):
            raise SmtpFailure(Phase.AUTH, "The server does not offer to log in.")
        try:
            password = self.account.password.reveal()
        except UndecryptableSecret as error:
            raise SmtpFailure(Phase.AUTH, str(error), 535, "5.7.8") from None
        try:
            smtp.login(self.account.username, password)
        except smtplib.SMTPNotSupportedError:
            raise SmtpFailure(Phase.AUTH, "The server offers no way to log in that is known here.") from None

    @staticmethod
    def _mail_options(smtp: _Smtp, mail_from: str, rcpt: str) -> list[str]:
        if mail_from.isascii() and rcpt.isascii():
            return []
        if smtp.has_extn("smtputf8"):
            return ["SMTPUTF8", "BODY=8BITMIME"]
        # RFC 6531 section 3.5, RFC 5248: 553 5.6.7 where the address needs SMTPUTF8.
        raise SmtpFailure(Phase.MAIL, "The server takes no address beyond ASCII.", 553, "5.6.7")

    @staticmethod
    def _expect(phase: Phase, reply: tuple[int, bytes], *codes: int) -> SmtpReply:
        answer = parse_reply(*reply)
        if answer.code not in codes:
            raise SmtpFailure(phase, answer.text, answer.code, answer.enhanced_code)
        return answer

    @contextmanager
    def _phase(self, phase: Phase) -> Iterator[None]:
        """Turns whatever goes wrong inside into an SmtpFailure of this phase."""
        try:
            yield
        except SmtpFailure:
            self._start_afresh()
            raise
        except smtplib.SMTPResponseException as error:
            reply = parse_reply(error.smtp_code, error.smtp_error)
            self._start_afresh()
            raise SmtpFailure(phase, reply.text, reply.code, reply.enhanced_code) from None
        except (smtplib.SMTPException, OSError, EOFError, ValueError) as error:
            self._drop()
            raise SmtpFailure(phase, _explain(error), after_dot=phase == Phase.DOT) from None

    def _start_afresh(self) -> None:
        """After a refusal: RSET, so that the next mail finds a clean connection; else drop it."""
        smtp = self._smtp
        if smtp is None or smtp.sock is None:
            return
        try:
            smtp.ends = time.monotonic() + self.timeout
            if smtp.rset()[0] != 250:
                self._drop()
        except (smtplib.SMTPException, OSError, ValueError):
            self._drop()

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


def parse_reply(code: int, text: bytes | str) -> SmtpReply:
    """Splits the enhanced status code (RFC 3463) off a reply's text; it stands on every line."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    found = re.match(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)", text)
    if not found:
        return SmtpReply(code, "", one_line(text))
    enhanced = found[1]
    text = re.sub(rf"(?m)^{re.escape(enhanced)}(\s+|$)", "", text)
    return SmtpReply(code, enhanced, one_line(text))


def _ascii_domain(address: str) -> str:
    """The address with its domain in IDNA, which any server takes; as it is where that fails."""
    local, at, domain = address.rpartition("@")
    try:
        return local + at + domain.encode("idna").decode("ascii")
    except UnicodeError:
        return address


def _transparent(message: bytes) -> bytes:
    """The message as it travels: lines end in CRLF, a leading dot is doubled (RFC 5321, 4.5.2)."""
    message = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    message = re.sub(rb"(?m)^\.", b"..", message)
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def _explain(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The server's certificate is not right: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return "The host name is not known."
    if isinstance(error, TimeoutError):
        return "The server took too long to answer."
    if isinstance(error, ConnectionRefusedError):
        return "The server refuses the connection."
    return str(error) or type(error).__name__
