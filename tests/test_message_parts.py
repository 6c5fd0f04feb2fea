"""The parts of a message: text, HTML, attachments."""

import email
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default

import pytest

from sending.composer import ComposeError, Enclosure, Letter
from sending.messages import build_message


def built(letter: Letter) -> EmailMessage:
    octets = build_message(
        letter,
        from_email="news@example.com",
        from_name="",
        reply_to="",
        to_email="ada@example.org",
        message_id="<1@example.com>",
        date=datetime(2026, 3, 1, tzinfo=UTC),
    )
    message = email.message_from_bytes(octets, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def types(message: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in message.walk()]


def test_text_alone_is_a_single_part() -> None:
    assert types(built(Letter("s", "text"))) == ["text/plain"]


def test_html_alone_is_a_single_part() -> None:
    assert types(built(Letter("s", " \n", "<p>html"))) == ["text/html"]


def test_html_comes_after_its_text() -> None:
    assert types(built(Letter("s", "text", "<p>html"))) == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip


def test_attachments_wrap_the_alternatives() -> None:
    enclosures = (
        Enclosure("a.pdf", "application/pdf", b"%PDF"),
        Enclosure("b.csv", "text/csv", b"a;\xe4\r\n"),
    )
    message = built(Letter("s", "text", "<p>html", enclosures=enclosures))
    assert types(message) == [
        "multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/pdf", "text/csv",
    ]  # fmt: skip
    assert [part.get_payload(decode=True) for part in message.iter_attachments()] == [b"%PDF", b"a;\xe4\r\n"]


@pytest.mark.parametrize("odd", ["", "text", "multipart/mixed", "message/rfc822", "a/b; c=d", "a b/c"])
def test_an_odd_content_type_becomes_octets(odd: str) -> None:
    message = built(Letter("s", "text", enclosures=(Enclosure("a.bin", odd, b"\x00\xff"),)))
    (part,) = message.iter_attachments()
    assert part.get_content_type() == "application/octet-stream"
    assert part.get_content() == b"\x00\xff"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\a.txt", "C__a.txt"),
        (" \r\n", "attachment"),
        ("ü.pdf", "ü.pdf"),
        ('"a".txt', "_a_.txt"),
    ],
)
def test_a_file_name_carries_no_path(given: str, sent: str) -> None:
    (part,) = built(
        Letter("s", "text", enclosures=(Enclosure(given, "text/plain", b"x"),))
    ).iter_attachments()
    assert part.get_filename() == sent


def test_a_letter_without_words_is_refused() -> None:
    with pytest.raises(ComposeError, match="empty"):
        built(Letter("s", " \n\t\x00", "\r\n"))


def test_dots_and_trailing_spaces_survive() -> None:
    content = built(Letter("s", ".\n..\nFrom here \n-- \nend")).get_content()
    assert content == ".\r\n..\r\nFrom here \r\n-- \r\nend\r\n"
