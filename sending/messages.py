"""From a letter to the octets of a message (RFC 5322, MIME: RFC 2045 to 2047 and 2231).

The standard library makes the MIME parts. The header lines of the message itself are made here:
its header folding has damaged long Message-IDs, commas in encoded names and runs of encoded words
(CPython issues 79986, 100884, 92081), and what a spreadsheet holds must never reach a header raw.

Cleaning, so that no field can inject a header and any parser reads back what was meant:
- subject, names, file names: a run of white space and control characters becomes one space,
  ends are trimmed; a lone surrogate becomes U+FFFD. In file names what file systems forbid becomes _.
- text and HTML: control characters other than tab and line ends are dropped, line ends become
  CRLF, the last line gets one; a lone surrogate becomes U+FFFD.
- addresses and Message-IDs are not cleaned but refused (ComposeError): a changed one is another one.
"""

import logging
import re
from collections.abc import Iterable
from datetime import datetime
from email.charset import Charset
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from itertools import chain, repeat

from django.utils.translation import gettext as _

from accounts import addresses
from sending.composer import ComposeError, ComposeFault, Enclosure, Letter, where

logger = logging.getLogger(__name__)

# 7 bit: a server without 8BITMIME takes it, and no relay has to convert (and break a signature).
_POLICY = SMTP.clone(cte_type="7bit", max_line_length=76)
_LINE = 76  # RFC 2047 section 2: no line with an encoded word is longer

_HEADER_BREAKS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_BODY_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FORBIDDEN_IN_FILENAMES = re.compile(r'[<>:"/\\|?*]')
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_MESSAGE_ID = re.compile(rf"<{addresses.ATOMS}@[A-Za-z0-9.\[\]:-]+>")
_MIME_TYPE = re.compile(r"([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,60})/([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,60})")


def build_message(
    letter: Letter,
    *,
    from_email: str,
    from_name: str,
    reply_to: str,
    to_email: str,
    message_id: str,
    date: datetime,
) -> bytes:
    """The message as it goes over the wire: ASCII only, CRLF, no line over 998 octets.

    message_id comes with its angle brackets. reply_to and names may be empty. The parts are text,
    HTML, or both (multipart/alternative); attachments make it multipart/mixed. Raises ComposeError
    where nothing sensible can be made: an address that can't be expressed, a letter without words.
    A ComposeFault where building failed in a way that nobody foresaw: a poisonous letter fails alone.
    """
    try:
        return _build(letter, from_email, from_name, reply_to, to_email, message_id, date)
    except ComposeError:
        raise
    except Exception as error:
        logger.error("A message can't be built: %s", where(error))
        raise ComposeFault(
            _("The message can't be built (%(kind)s).") % {"kind": type(error).__name__}
        ) from error


def _build(
    letter: Letter,
    from_email: str,
    from_name: str,
    reply_to: str,
    to_email: str,
    message_id: str,
    date: datetime,
) -> bytes:
    if not _MESSAGE_ID.fullmatch(message_id) or len(message_id) > 900:
        raise ComposeError(_("The Message-ID is malformed."))
    headers = [
        _unstructured("Subject", letter.subject),
        _mailbox("From", from_name, from_email),
        _mailbox("To", letter.to_name, to_email),
        f"Date: {format_datetime(date)}",
        f"Message-ID: {message_id}",
    ]
    if reply_to:
        headers.append(_mailbox("Reply-To", "", reply_to))
    return "".join(f"{header}\r\n" for header in headers).encode("ascii") + _content(letter)


def ascii_address(address: str) -> str:
    """The address as SMTP takes it; raises ComposeError for one that can't be expressed."""
    try:
        return addresses.ascii_address(address)
    except ValueError as error:
        raise ComposeError(str(error)) from None


# --- Headers ---


def clean_header_text(text: str) -> str:
    """Text that fits in one header field: see the module's rules."""
    return _SURROGATES.sub("\ufffd", _HEADER_BREAKS.sub(" ", text).strip(" "))


def _unstructured(name: str, text: str) -> str:
    text = clean_header_text(text)
    words = text.split(" ")
    needs_encoding = not text.isascii() or "=?" in text or any(len(word) > _LINE - 20 for word in words)
    return _folded(f"{name}:", _encoded_words(text) if needs_encoding else words)


def _mailbox(name: str, display_name: str, address: str) -> str:
    angle = f"<{ascii_address(address)}>"
    text = clean_header_text(display_name)
    if not text:
        return _folded(f"{name}:", [angle])
    if text.isascii() and "=?" not in text and len(text) < _LINE - 20:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        return _folded(f"{name}:", [f'"{quoted}"', angle])
    return _folded(f"{name}:", [*_encoded_words(text), angle])


def _encoded_words(text: str) -> Iterable[str]:
    """RFC 2047 encoded words of at most 75 octets, none of which splits a character."""
    charset = Charset("utf-8")
    # A word's frame is =?utf-8?q?...?=, 12 octets.
    words = charset.header_encode_lines(text, chain([_LINE - 1 - 12 - 10], repeat(_LINE - 1 - 12)))
    return [word for word in words if word]


def _folded(start: str, words: Iterable[str]) -> str:
    """One header field; lines break before words (RFC 5322 section 2.2.3)."""
    lines = [start]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _LINE and lines[-1] != start:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines)


# --- Body ---


def _content(letter: Letter) -> bytes:
    """The MIME part with its own headers, MIME-Version among them."""
    text, html = _clean_body(letter.text), _clean_body(letter.html)
    if not text.strip() and not html.strip():
        raise ComposeError(_("The mail would be empty: its text and its HTML have no words."))
    message = EmailMessage(policy=_POLICY)
    if text.strip():
        message.set_content(text, charset="utf-8", cte=_transfer_encoding(text))
    if not text.strip():
        message.set_content(html, subtype="html", charset="utf-8", cte=_transfer_encoding(html))
    elif html.strip():
        message.add_alternative(html, subtype="html", charset="utf-8", cte=_transfer_encoding(html))
    for enclosure in letter.enclosures:
        _attach(message, enclosure)
    return message.as_bytes()


def _clean_body(text: str) -> str:
    return _SURROGATES.sub("\ufffd", _BODY_CONTROLS.sub("", text))


def _transfer_encoding(text: str) -> str:
    """Quoted-printable where most of it stays readable, else base64: whichever is shorter."""
    foreign = sum(1 for octet in text.encode() if octet > 126)
    return "base64" if foreign * 6 > len(text) else "quoted-printable"


def _attach(message: EmailMessage, enclosure: Enclosure) -> None:
    matched = _MIME_TYPE.fullmatch(enclosure.content_type)
    maintype, subtype = matched.groups() if matched else ("application", "octet-stream")
    if maintype.lower() in ("multipart", "message"):
        # Base64 is not allowed in these (RFC 2046), and a file is handed over as it is.
        maintype, subtype = "application", "octet-stream"
    message.add_attachment(
        enclosure.content, maintype=maintype, subtype=subtype, filename=clean_filename(enclosure.filename)
    )


def clean_filename(filename: str) -> str:
    """A name that any file system takes: no path, none of <>:"|?*; "attachment" when nothing is left."""
    # Parsers drop no-break and other wide spaces around a parameter: they become plain ones.
    words = clean_header_text(_FORBIDDEN_IN_FILENAMES.sub("_", filename)).split()
    return " ".join(words) or "attachment"
