"""The SMTP conversation with one account's server, phase by phase.

smtplib is driven command by command, never by sendmail(): only so is it known in which phase a
conversation broke, and whether the final dot may have reached the server (RFC 1047).
"""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

from accounts import network, timeouts
from accounts.addresses import ascii_domain
from accounts.client import BoundedSmtp, BoundedSmtpTls
from accounts.clock import steady_time
from accounts.models import SmtpAccount
from accounts.phases import Phase
from accounts.presets import Security
from accounts.reply import SmtpReply, one_line, parse_reply
from accounts.secrets import UndecryptableSecret

# Tried in this order, one only: a second try with a wrong password counts as one more against it.
LOG_INS = ("PLAIN", "LOGIN", "CRAM-MD5")
# What a server would answer to an AUTH that it does not offer (RFC 4954 section 4).
NO_LOG_IN = (504, "5.5.4")


class SmtpFailure(Exception):
    """A conversation that did not end in acceptance.

    code is None where no reply came. after_dot: no reply came, and the final dot may have reached
    the server, so the message may have been accepted.
    """

    # The server ended a session that had served mails before this one was begun: a new one may take it.
    ends_session = False

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


class SmtpConnection:
    """One connection of one account: opened once, used for many mails.

    timeout: seconds, the unit of the table in accounts.timeouts; by default SMTP_TIMEOUT.
    tls_context: how certificates are checked; by default against the system's authorities.
    """

    def __init__(
        self,
        account: SmtpAccount,
        *,
        timeout: float | None = None,
        tls_context: ssl.SSLContext | None = None,
    ):
        self.account = account
        self.timeout = timeout or settings.SMTP_TIMEOUT
        self.tls_context = tls_context
        self._has_served = False  # whether the server took a MAIL of this session
        self._smtp: BoundedSmtp | None = None

    @property
    def is_open(self) -> bool:
        """Whether it can take a mail: opened, and the server has neither hung up nor spoken since."""
        smtp = self._smtp
        if smtp is None or smtp.sock is None:
            return False
        try:
            smtp.listen()
        except (smtplib.SMTPException, OSError, ValueError):
            self._drop()
        return self._smtp is not None

    def open(self) -> None:
        """Connects, secures and logs in. Raises SmtpFailure in phase CONNECT, TLS or AUTH."""
        try:
            self._open()
        except SmtpFailure as failure:
            self.close()
            text = network.without_password(failure.text, self.account)
            raise SmtpFailure(failure.phase, text, failure.code, failure.enhanced_code) from None

    def _open(self) -> None:
        with self._phase(Phase.CONNECT):
            smtp = self._connect()
            self._expect(Phase.CONNECT, smtp.ehlo(), 250)
        if self.account.security == Security.STARTTLS:
            with self._phase(Phase.TLS):
                self._starttls(smtp)
        if self.account.username:
            with self._phase(Phase.AUTH):
                self._log_in(smtp)

    def send(self, mail_from: str, rcpt: str, message: bytes, *, ends: float = float("inf")) -> SmtpReply:
        """Hands one message over. Returns the reply that accepts it; raises SmtpFailure.

        ends: by steady_time(), when the final dot may not go out any more.

        After a refusal the connection serves the next mail; after a loss is_open is False.
        """
        smtp = self._smtp
        if smtp is None or smtp.sock is None:
            raise SmtpFailure(Phase.CONNECT, "The connection is closed.")
        self._grant(smtp, timeouts.MESSAGE)
        smtp.ends = min(smtp.ends, ends)
        mail_from, rcpt = _ascii_domain(mail_from), _ascii_domain(rcpt)
        size = len(message) + message.count(b"\n") - message.count(b"\r\n")  # as RFC 1870 counts: with CRLF
        message = _transparent(message)
        self._begin(smtp, mail_from, rcpt, size)
        with self._phase(Phase.RCPT):
            path = _path(rcpt, Phase.RCPT, "5.1.3")
            self._expect(Phase.RCPT, smtp.docmd("RCPT", f"TO:{path}"), 250, 251)
        with self._phase(Phase.DATA):
            asked = steady_time()
            self._expect(Phase.DATA, smtp.docmd("DATA"), 354)
            there_and_back = steady_time() - asked
            # Without the dot nothing may be delivered (RFC 5321 section 4.1.1.4), so what is seen before it
            # leaves no doubt: out of time, an answer ahead of it, or a connection that the message found
            # closed, which is known as soon as a packet has gone there and back.
            smtp.hand_over(message, min(there_and_back, timeouts.MOST_LINGERING))
            smtp.hurry()
        self._grant(smtp, timeouts.STEPS[Phase.DOT])
        with self._phase(Phase.DOT):
            self._write_dot(smtp)
            return self._expect(Phase.DOT, smtp.getreply(), 250)

    def _begin(self, smtp: BoundedSmtp, mail_from: str, rcpt: str, size: int) -> None:
        try:
            with self._phase(Phase.MAIL):
                self._check_size(smtp, size)
                options = self._mail_options(smtp, mail_from, rcpt)
                path = _path(mail_from, Phase.MAIL, "5.1.7")
                self._expect(Phase.MAIL, smtp.docmd("MAIL", f"FROM:{path}{options}"), 250)
        except SmtpFailure as failure:
            # 421 closes the channel (RFC 5321 section 3.8): so SES ends a session that took its most mails.
            if self._has_served and failure.code in (None, 421):
                failure.ends_session = True
                self._drop()
            raise
        self._has_served = True

    def try_sender(self, mail_from: str) -> None:
        """Asks whether the server takes mail from this address, and sends none. Raises SmtpFailure."""
        smtp = self._smtp
        assert smtp is not None  # opened
        with self._phase(Phase.MAIL):
            path = _path(_ascii_domain(mail_from), Phase.MAIL, "5.1.7")
            self._expect(Phase.MAIL, smtp.docmd("MAIL", f"FROM:{path}"), 250)
        self._start_afresh()

    def close(self) -> None:
        """Says QUIT where there is still somebody to say it to. Never raises."""
        smtp, self._smtp = self._smtp, None
        if smtp is None or smtp.sock is None:
            return
        try:
            self._grant(smtp, timeouts.QUIT)
            smtp.quit()
        except (smtplib.SMTPException, OSError, ValueError):
            smtp.close()

    def _context(self) -> ssl.SSLContext:
        try:
            return self.tls_context or network.tls_context()
        except network.UnusableAuthorities as error:
            raise SmtpFailure(Phase.TLS, str(error)) from None

    def _connect(self) -> BoundedSmtp:
        factory: Any = BoundedSmtp
        options: dict[str, Any] = {}
        if self.account.security == Security.TLS:
            factory, options = BoundedSmtpTls, {"context": self._context()}
        smtp = factory(local_hostname="localhost", **options)
        self._smtp = smtp
        smtp.step = self.timeout * timeouts.STEPS[Phase.CONNECT]
        self._grant(smtp, timeouts.OPENING)
        self._expect(Phase.CONNECT, smtp.connect(self.account.host, self.account.port), 220)
        assert smtp.sock is not None
        smtp.local_hostname = network.own_name(smtp.sock, smtp.left)
        return smtp

    def _starttls(self, smtp: BoundedSmtp) -> None:
        if not smtp.has_extn("starttls"):
            raise SmtpFailure(Phase.TLS, "The server does not offer STARTTLS.")
        self._expect(Phase.TLS, smtp.docmd("STARTTLS"), 220)
        smtp.secure(self._context(), self.account.host)
        self._expect(Phase.TLS, smtp.ehlo(), 250)

    def _log_in(self, smtp: BoundedSmtp) -> None:
        if not smtp.has_extn("auth"):
            raise SmtpFailure(Phase.AUTH, "The server does not offer to log in.", *NO_LOG_IN)
        smtp.has_secret = True
        try:
            password = self.account.password.reveal()
        except UndecryptableSecret as error:
            raise SmtpFailure(Phase.AUTH, str(error), 535, "5.7.8") from None
        offered = smtp.esmtp_features["auth"].upper().split()
        mechanism = next((one for one in LOG_INS if one in offered), None)
        if mechanism is None:
            text = "The server offers no way to log in that is known here."
            raise SmtpFailure(Phase.AUTH, text, *NO_LOG_IN)
        if mechanism == "PLAIN":  # RFC 4616 has it in UTF-8; smtplib's own takes ASCII only
            log_in = network.plain_log_in(self.account.username, password)
            answer = smtp.docmd("AUTH", f"PLAIN {log_in}")
            if answer[0] == 334:  # it passed over the initial response (RFC 4954 section 4)
                answer = smtp.docmd(log_in)
            self._expect(Phase.AUTH, answer, 235)
            return
        smtp.user, smtp.password = self.account.username, password
        try:
            answer = smtp.auth(mechanism, getattr(smtp, "auth_" + mechanism.lower().replace("-", "_")))
            self._expect(Phase.AUTH, answer, 235)  # smtplib takes 503 for success, too
        except UnicodeError:  # its own words show a part of the password
            text = "User name or password has a character beyond ASCII."
            raise SmtpFailure(Phase.AUTH, text, 535, "5.7.8") from None
        finally:
            smtp.user = smtp.password = ""

    @staticmethod
    def _check_size(smtp: BoundedSmtp, size: int) -> None:
        """Raises SmtpFailure where the server has said that it takes no message so large (RFC 1870)."""
        most = smtp.esmtp_features.get("size", "")
        if most.isdecimal() and 0 < int(most) < size:
            text = f"The server takes messages of up to {most} bytes, this one has {size}."
            raise SmtpFailure(Phase.MAIL, text, 552, "5.3.4")

    @staticmethod
    def _mail_options(smtp: BoundedSmtp, mail_from: str, rcpt: str) -> str:
        if mail_from.isascii() and rcpt.isascii():
            return ""
        if smtp.has_extn("smtputf8"):
            return " SMTPUTF8 BODY=8BITMIME"
        # RFC 6531 section 3.5, RFC 5248: 553 5.6.7 where the address needs SMTPUTF8.
        raise SmtpFailure(Phase.MAIL, "The server takes no address beyond ASCII.", 553, "5.6.7")

    def _expect(self, phase: Phase, reply: tuple[int, bytes], *codes: int) -> SmtpReply:
        answer = self._parsed(phase, *reply)
        if answer.code not in codes:
            raise SmtpFailure(phase, answer.text, answer.code, answer.enhanced_code)
        return answer

    def _parsed(self, phase: Phase, code: int, text: bytes | str) -> SmtpReply:
        """The reply, without what it may quote of the log-in: before it is cut to its length."""
        if phase == Phase.AUTH or code >= 400:
            said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
            text = network.without_password(said, self.account)
        return parse_reply(code, text)

    @staticmethod
    def _write_dot(smtp: BoundedSmtp) -> None:
        """Raises SmtpFailure in phase DATA where the connection was lost before: TCP did not take the dot.

        A time-out is no such proof: it may be an end of our own, a moment after the dot went out.
        """
        try:
            smtp.write(b".\r\n")
        except ConnectionError as error:
            raise SmtpFailure(Phase.DATA, network.explain(error)) from None

    @contextmanager
    def _phase(self, phase: Phase) -> Iterator[None]:
        """Gives each step inside this phase's time; turns what goes wrong into an SmtpFailure of it."""
        if self._smtp is not None:
            self._smtp.step = self.timeout * timeouts.STEPS[phase]
        try:
            yield
        except SmtpFailure:
            self._start_afresh()
            raise
        except smtplib.SMTPResponseException as error:
            reply = self._parsed(phase, error.smtp_code, error.smtp_error)
            self._start_afresh()
            raise SmtpFailure(phase, reply.text, reply.code, reply.enhanced_code) from None
        except (smtplib.SMTPException, OSError, EOFError, ValueError) as error:
            self._drop()
            if phase == Phase.CONNECT and isinstance(error, ssl.SSLError):
                phase = Phase.TLS
            raise SmtpFailure(phase, network.explain(error), after_dot=phase == Phase.DOT) from None

    def _start_afresh(self) -> None:
        """After a refusal: RSET, so that the next mail finds a clean connection; else drop it."""
        smtp = self._smtp
        if smtp is None or smtp.sock is None:
            return
        try:
            self._grant(smtp, timeouts.RESET)
            if smtp.rset()[0] != 250:
                self._drop()
        except (smtplib.SMTPException, OSError, ValueError):
            self._drop()

    def _grant(self, smtp: BoundedSmtp, units: float) -> None:
        """So long from now on, in all (accounts.timeouts)."""
        smtp.ends = steady_time() + units * self.timeout

    def _drop(self) -> None:
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            smtp.close()


def _ascii_domain(address: str) -> str:
    """The address with its domain in ASCII; as it is where that fails."""
    local, at, domain = address.rpartition("@")
    try:
        return local + at + ascii_domain(domain)
    except ValueError:
        return address


def _path(address: str, phase: Phase, enhanced_code: str) -> str:
    """The address between angle brackets, as it is: smtplib's quoteaddr() may make another one of it.

    Raises SmtpFailure with 553 and this code (RFC 3463: 5.1.3, 5.1.7) where it would end the path early.
    """
    if not address.isprintable() or re.search("[<>]", address):
        raise SmtpFailure(phase, "This is no address.", 553, enhanced_code)
    return f"<{address}>"


def _transparent(message: bytes) -> bytes:
    """The message as it travels: lines end in CRLF, a leading dot is doubled (RFC 5321, 4.5.2)."""
    message = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    message = re.sub(rb"(?m)^\.", b"..", message)
    return message if message.endswith(b"\r\n") else message + b"\r\n"
