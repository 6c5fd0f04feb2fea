"""A server's reply, read."""

import re
from dataclasses import dataclass

MAX_TEXT = 500
CUT = " … "
# Of a longer text: the last line of a reply is often what decides, as "Sender verify failed" below a page.
MAX_END = 200


@dataclass(frozen=True)
class SmtpReply:
    """A server's answer: reply code (RFC 5321), enhanced status code (RFC 3463) or "", text."""

    code: int
    enhanced_code: str
    text: str


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


def as_said(code: int | None, enhanced_code: str, text: str) -> str:
    """A reply as the server said it: code, enhanced status code and text, those that there are."""
    return " ".join(str(part) for part in (code, enhanced_code, text) if part)


def one_line(text: str | bytes) -> str:
    """Printable, on one line, at most 500 characters, the middle left out: fit for a log and a screen."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(printable.split())
    if len(line) <= MAX_TEXT:
        return line
    return line[: MAX_TEXT - MAX_END - len(CUT)] + CUT + line[-MAX_END:]
