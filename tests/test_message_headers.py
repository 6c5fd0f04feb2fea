"""The headers of a message: right for servers, closed to injection."""

import email
from datetime import UTC, datetime
from email.policy import default

import pytest

from sending.composer import ComposeError, Enclosure, Letter
from sending.messages import ascii_address, build_message

DATE = datetime(2026, 3, 1, 9, 30, 5, tzinfo=UTC)


def build(letter: Letter | None = None, **changes: object) -> bytes:
    given = {
        "from_email": "news@example.com",
        "from_name": "Batchwise",
        "reply_to": "",
        "to_email": "ada@example.org",
        "message_id": "<1.abc@example.com>",
        "date": DATE,
        **changes,
    }
    return build_message(letter or Letter("Hello", "Hello\n"), **given)  # type: ignore[arg-type]


def head(octets: bytes) -> list[str]:
    return octets.partition(b"\r\n\r\n")[0].decode("ascii").replace("\r\n ", " ").split("\r\n")


def test_a_plain_message_has_plain_headers() -> None:
    assert head(build(Letter("Hello", "Hello\n", to_name="Ada Lovelace"), reply_to="re@example.com")) == [
        "Subject: Hello",
        'From: "Batchwise" <news@example.com>',
        'To: "Ada Lovelace" <ada@example.org>',
        "Date: Sun, 01 Mar 2026 09:30:05 +0000",
        "Message-ID: <1.abc@example.com>",
        "Reply-To: <re@example.com>",
        'Content-Type: text/plain; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
        "MIME-Version: 1.0",
    ]


def test_the_same_message_is_made_twice_with_the_same_id_and_date() -> None:
    assert build() == build()


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\x00"])
@pytest.mark.parametrize("field", ["subject", "to_name", "from_name", "filename", "content_type"])
def test_no_text_injects_a_header(field: str, line_end: str) -> None:
    evil = f"x{line_end}Bcc: victim@example.net{line_end}{line_end}<p>body"
    enclosure = Enclosure(
        evil if field == "filename" else "a.txt",
        evil if field == "content_type" else "text/plain",
        b"x",
    )
    letter = Letter(
        evil if field == "subject" else "s",
        "text",
        to_name=evil if field == "to_name" else "",
        enclosures=(enclosure,),
    )
    octets = build(letter, from_name=evil if field == "from_name" else "")
    message = email.message_from_bytes(octets, policy=default)
    assert "Bcc" not in message
    assert not any("Bcc" in part for part in message.walk())
    assert b"\r\nBcc" not in octets


@pytest.mark.parametrize(
    "address",
    [
        "a@x.de\r\nBcc: v@x.de", "a@x.de\n", "\na@x.de", "a\x00@x.de", "a@x.de, b@x.de", "a b@x.de",
        "a@", "@x.de", "", "a", "a@x..de", "a@-x.de", "a@x de", "<a@x.de>", 'a"b@x.de', "a@x.de>",
        "jürgen@example.com", "a\ud800@x.de", "a@\ud800.de", "a@x\u3002\u3002de", f"{'a' * 65}@x.de",
        f"a@{'x' * 64}.de", "a@" + "x." * 130 + "de", '"a\nb"@x.de', "..a@x.de",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["to_email", "from_email", "reply_to"])
def test_an_address_that_cannot_be_expressed_is_refused(field: str, address: str) -> None:
    if field == "reply_to" and not address:
        assert "Reply-To" not in email.message_from_bytes(build(reply_to=""))
        return
    with pytest.raises(ComposeError) as refused:
        build(**{field: address})
    assert len(address) < 2 or address not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("ada@example.org", "ada@example.org"),
        ("ada+news@münchen.example", "ada+news@xn--mnchen-3ya.example"),
        ('"ada, the first"@example.org', '"ada, the first"@example.org'),
        ('"a@b\\""@example.org', '"a@b\\""@example.org'),
        ("ada@[192.0.2.1]", "ada@[192.0.2.1]"),
        ("o'brien@localhost", "o'brien@localhost"),
    ],
)
def test_an_address_goes_out_as_smtp_takes_it(address: str, wire: str) -> None:
    assert ascii_address(address) == wire
    message = email.message_from_bytes(build(to_email=address), policy=default)
    assert message["To"].addresses[0].addr_spec == wire
    assert len(message["To"].addresses) == 1


def test_a_comma_in_an_encoded_name_makes_no_second_recipient() -> None:
    message = email.message_from_bytes(
        build(Letter("s", "t", to_name="Müller, Jörg <x@y.de>,")), policy=default
    )
    (only,) = message["To"].addresses
    assert only.addr_spec == "ada@example.org"
    assert only.display_name == "Müller, Jörg <x@y.de>,"


def test_a_long_message_id_is_neither_encoded_nor_folded() -> None:
    long = f"<{'1' * 250}@example.com>"
    assert f"Message-ID: {long}" in head(build(message_id=long))


@pytest.mark.parametrize(
    "message_id", ["", "no-brackets@x.de", "<a@x.de>\r\nBcc: v@x.de", "<a b@x.de>", "<ä@x.de>"]
)
def test_a_malformed_message_id_is_refused(message_id: str) -> None:
    with pytest.raises(ComposeError, match="Message-ID"):
        build(message_id=message_id)


def test_an_empty_subject_is_a_subject_all_the_same() -> None:
    message = email.message_from_bytes(build(Letter("", "t")), policy=default)
    assert message["Subject"] == ""


def test_a_subject_that_looks_encoded_is_shown_as_written() -> None:
    message = email.message_from_bytes(build(Letter("=?utf-8?q?Bcc?= is text", "t")), policy=default)
    assert message["Subject"] == "=?utf-8?q?Bcc?= is text"


def test_encoded_words_follow_rfc_2047() -> None:
    octets = build(Letter("ä" * 400, "t", to_name="😀" * 100))
    lines = octets.partition(b"\r\n\r\n")[0].split(b"\r\n")
    words = [word for line in lines for word in line.split() if word.startswith(b"=?")]
    assert len(words) > 10
    assert all(len(word) <= 75 for word in words)
    assert all(len(line) <= 76 for line in lines)
