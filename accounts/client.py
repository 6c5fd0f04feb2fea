"""smtplib's client with bounds: no server can hold it for ever, fill its memory, or answer ahead."""

import re
import select
import smtplib
import socket
import ssl
from contextlib import suppress
from typing import Any

from accounts import network
from accounts.clock import steady_time
from accounts.reply import one_line

MAX_REPLY_LINES = 100
MAX_LINE = 8192  # bytes; RFC 5321 section 4.5.3.1.5 allows 512
# A record of TLS: sendall() grants each of them the time anew.
PIECE = 16384
NO_END = "the server's reply has no end"


class BoundedSmtp(smtplib.SMTP):
    """smtplib's client, bounded in how much of a reply it reads and in how long it waits.

    It stays in step: what a server says before it is asked is never taken for the answer.
    """

    ends = float("inf")  # by steady_time(): when opening, or a mail, is out of time
    has_secret = False  # the server has heard the password, and may echo any part of it
    step = 20.0  # seconds for one read or write

    def __init__(self, **options: Any):
        self.unread = b""
        super().__init__(**options)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = network.connect(host, port, self.left)
        # The final dot is a small write of its own: Nagle's algorithm would hold it for 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def left(self) -> float:
        """Seconds for the next step: the step's own, or what is left of the whole."""
        return network.seconds_left(self.ends, self.step)

    def hurry(self) -> None:
        """Gives the next step its time. Raises TimeoutError where there is none left."""
        left = self.left()
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        self.sock.settimeout(left)

    def listen(self) -> None:
        """Raises SMTPServerDisconnected where the server hung up, or spoke, before it was asked.

        A reply that came ahead of its command would be taken for the answer to another one.
        """
        if not self.unread:
            self._take_what_came()
        if self.unread:
            raise smtplib.SMTPServerDisconnected(f"the server spoke out of turn{self._quoted(self.unread)}")

    def hand_over(self, message: bytes, seconds: float) -> None:
        """Writes a message up to its dot, then looks for so long whether the connection still stands.

        Raises SMTPDataError where the server has refused the message before its end, as some do when it
        grows too large; the connection is closed then, since the two are out of step.
        """
        try:
            self.send(message)
            self._linger(seconds)
        except (OSError, smtplib.SMTPServerDisconnected):
            self._heed_refusal()
            raise

    def _heed_refusal(self) -> None:
        with suppress(OSError, smtplib.SMTPServerDisconnected):
            self._take_what_came()  # said before it hung up
        if re.match(rb"[45]\d\d(?:[ -].*|\r?)\n", self.unread):
            code, text = self.getreply()
            self.close()
            raise smtplib.SMTPDataError(code, text)

    def _linger(self, seconds: float) -> None:
        """Listens for so long, and raises as listen() does."""
        ends = steady_time() + seconds
        self.listen()
        assert self.sock is not None
        while (left := ends - steady_time()) > 0:
            if select.select([self.sock], [], [], left)[0]:
                self.listen()

    def _take_what_came(self) -> None:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        self.sock.settimeout(0)
        try:
            self._read()
        except (BlockingIOError, ssl.SSLWantReadError):
            return

    def _read(self) -> None:
        assert self.sock is not None
        arrived = self.sock.recv(MAX_LINE)
        if not arrived:
            raise smtplib.SMTPServerDisconnected("the server closed the connection")
        self.unread += arrived

    def getreply(self) -> tuple[int, bytes]:
        """The next reply. All its lines carry the same code (RFC 5321 section 4.2.1), or it is none."""
        lines: list[bytes] = []
        codes: set[bytes] = set()
        while True:
            line = self._line()
            if len(lines) >= MAX_REPLY_LINES:
                raise smtplib.SMTPServerDisconnected(NO_END)
            codes.add(line[:3])
            lines.append(line[4:].strip(b" \t\r\n"))
            if not re.match(rb"[2-5]\d\d(?=[ \r\n-])", line) or len(codes) > 1:
                raise smtplib.SMTPServerDisconnected(f"not an SMTP reply{self._quoted(line)}")
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    def _quoted(self, said: bytes) -> str:
        return "" if self.has_secret else f": {one_line(said[:80])}"

    def _line(self) -> bytes:
        """The next line. Each read gets its time anew: a server may drip it, byte by byte."""
        while b"\n" not in self.unread:
            if len(self.unread) > MAX_LINE:
                raise smtplib.SMTPServerDisconnected(NO_END)
            self.hurry()
            self._read()
        line, end, self.unread = self.unread.partition(b"\n")
        if len(line) > MAX_LINE:
            raise smtplib.SMTPServerDisconnected(NO_END)
        return line + end

    def send(self, s: Any) -> None:
        """Writes a command, or a message, where the server is waiting for one."""
        self.listen()
        self.write(s.encode() if isinstance(s, str) else s)

    def write(self, data: bytes) -> None:
        """Writes it piece by piece, each with its time: a large mail may need more than one step's."""
        for start in range(0, len(data), PIECE):
            self.hurry()
            assert self.sock is not None
            self.sock.sendall(data[start : start + PIECE])

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """TLS from here on. What was said before it counts for nothing (RFC 3207 section 4.2)."""
        self.listen()
        self.hurry()
        assert self.sock is not None
        self.sock = context.wrap_socket(self.sock, server_hostname=host)
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False


class BoundedSmtpTls(BoundedSmtp):
    """The same, with TLS from the start (RFC 8314)."""

    def __init__(self, *, context: ssl.SSLContext, **options: Any):
        self.context = context
        super().__init__(**options)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = super()._get_socket(host, port, timeout)
        try:
            sock.settimeout(self.left())
            return self.context.wrap_socket(sock, server_hostname=host)
        except BaseException:
            sock.close()
            raise
