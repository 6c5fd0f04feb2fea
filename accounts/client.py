"""smtplib's client with bounds: no server can hold it for ever, or fill its memory."""

import re
import smtplib
import socket
import time
from typing import Any

from accounts.reply import one_line

MAX_REPLY_LINES = 100
MAX_LINE = 8192  # bytes; RFC 5321 section 4.5.3.1.5 allows 512
PIECE = 65536


class BoundedSmtp(smtplib.SMTP):
    """smtplib's client, bounded in how much of a reply it reads and in how long one mail takes."""

    ends = float("inf")  # by time.monotonic()
    step = 20.0  # seconds for one read or write

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # The final dot is a small write of its own: Nagle's algorithm would hold it for 40 ms.
        sock: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def hurry(self) -> None:
        """Gives the next step its time: the step's own, or what is left of the mail's."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server took too long")
        if self.sock:
            self.sock.settimeout(min(self.step, left))

    def getreply(self) -> tuple[int, bytes]:
        lines: list[bytes] = []
        while True:
            line = self._line()
            if len(lines) >= MAX_REPLY_LINES:
                raise smtplib.SMTPServerDisconnected("the server's reply has no end")
            lines.append(line[4:].strip(b" \t\r\n"))
            if not re.match(rb"[2-5]\d\d(?=[ \r\n-])", line):
                raise smtplib.SMTPServerDisconnected(f"not an SMTP reply: {one_line(line[:80])}")
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines)

    def _line(self) -> bytes:
        """The next line. Each read gets its time anew: a server may drip it, byte by byte."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        if self.file is None:
            self.file = self.sock.makefile("rb")
        line = b""
        while not line.endswith(b"\n"):
            self.hurry()
            arrived = self.file.peek()
            if not arrived:
                raise smtplib.SMTPServerDisconnected("the server closed the connection")
            line += self.file.read(arrived.find(b"\n") + 1 or len(arrived))
            if len(line) > MAX_LINE:
                raise smtplib.SMTPServerDisconnected("the server's reply has no end")
        return line

    def send(self, s: Any) -> None:
        """Writes it piece by piece, each with its time: a large mail may need more than one step's."""
        data = s.encode() if isinstance(s, str) else s
        for start in range(0, len(data), PIECE):
            self.hurry()
            if self.sock is None:
                raise smtplib.SMTPServerDisconnected("the connection is closed")
            self.sock.sendall(data[start : start + PIECE])


class BoundedSmtpTls(BoundedSmtp, smtplib.SMTP_SSL):
    """The same, with TLS from the start (RFC 8314)."""
