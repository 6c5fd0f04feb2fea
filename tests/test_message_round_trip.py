"""Whatever goes into a message, the standard library's parser reads back the same."""

import email
import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default

from hypothesis import given, settings
from hypothesis import strategies as st

from sending.composer import Enclosure, Letter
from sending.messages import build_message, clean_filename, clean_header_text

WHOLE = {
    "from_email": "news@example.com",
    "from_name": "Batchwise",
    "reply_to": "",
    "to_email": "ada@example.org",
    "message_id": "<1.abc@example.com>",
    "date": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
}
# Any code point, lone surrogates and control characters too, and what headers are made of.
ANYTHING = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=300),
    st.text(st.sampled_from('a"\\,;:<>@()=?_ \r\n\t\x00\x85\u2028äß€😀\ud800'), max_size=300),
)


def parsed(octets: bytes) -> EmailMessage:
    message = email.message_from_bytes(octets, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return part.get_content().replace("\r\n", "\n")


def cleaned_body(text: str) -> str:
    text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", text)
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)
    return re.sub(r"\r\n|\r", "\n", text).removesuffix("\n") + "\n"


def assert_fit_for_any_server(octets: bytes) -> None:
    assert octets.isascii()
    assert b"\x00" not in octets
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", octets)
    assert max(len(line) for line in octets.split(b"\r\n")) <= 998


@given(subject=ANYTHING)
def test_a_subject_is_read_back_the_same(subject: str) -> None:
    octets = build_message(Letter(subject, "text"), **WHOLE)
    assert_fit_for_any_server(octets)
    assert parsed(octets)["Subject"] == clean_header_text(subject)


@given(name=ANYTHING)
def test_names_are_read_back_the_same(name: str) -> None:
    octets = build_message(Letter("s", "text", to_name=name), **{**WHOLE, "from_name": name})
    assert_fit_for_any_server(octets)
    message = parsed(octets)
    for header, address in (("From", "news@example.com"), ("To", "ada@example.org")):
        (mailbox,) = message[header].addresses
        assert mailbox.addr_spec == address
        # Between two encoded words of a name, policy.default keeps a space that RFC 2047 drops.
        spelled = re.sub(r"\s", "", mailbox.display_name)
        assert spelled == re.sub(r"\s", "", clean_header_text(name))


@given(name=ANYTHING)
def test_a_long_encoded_name_is_whole_for_a_parser_that_follows_rfc_2047(name: str) -> None:
    octets = build_message(Letter("s", "text", to_name="ü" + name), **WHOLE)
    legacy = email.message_from_bytes(octets)
    words = legacy["To"].rpartition("<")[0].strip()
    assert str(make_header(decode_header(words))) == clean_header_text("ü" + name)


@given(text=ANYTHING, html=ANYTHING)
def test_text_and_html_are_read_back_the_same(text: str, html: str) -> None:
    octets = build_message(Letter("s", f"t{text}", f"<p>{html}"), **WHOLE)
    assert_fit_for_any_server(octets)
    message = parsed(octets)
    assert message.get_content_type() == "multipart/alternative"
    assert body(message, "plain") == cleaned_body(f"t{text}")
    assert body(message, "html") == cleaned_body(f"<p>{html}")


@given(filename=ANYTHING, content=st.binary(max_size=2000))
@settings(max_examples=200)
def test_an_attachment_is_read_back_the_same(filename: str, content: bytes) -> None:
    letter = Letter("s", "text", "<p>html", enclosures=(Enclosure(filename, "application/pdf", content),))
    octets = build_message(letter, **WHOLE)
    assert_fit_for_any_server(octets)
    message = parsed(octets)
    assert message.get_content_type() == "multipart/mixed"
    (part,) = message.iter_attachments()
    assert part.get_filename() == clean_filename(filename)
    assert part.get_content_type() == "application/pdf"
    assert part.get_content() == content


@given(subject=ANYTHING, name=ANYTHING, text=ANYTHING, content_type=ANYTHING, filename=ANYTHING)
def test_there_is_exactly_one_of_each_header(
    subject: str, name: str, text: str, content_type: str, filename: str
) -> None:
    letter = Letter(
        subject, f"t{text}", text, to_name=name, enclosures=(Enclosure(filename, content_type, b"x"),)
    )
    octets = build_message(letter, **{**WHOLE, "from_name": name, "reply_to": "re@example.com"})
    assert_fit_for_any_server(octets)
    message = parsed(octets)
    assert sorted(message.keys()) == [
        "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Reply-To", "Subject", "To",
    ]  # fmt: skip
    for part in message.walk():
        assert len({key.lower() for key in part}) == len(part.keys())
        assert set(part.keys()) <= {
            *message.keys(), "Content-Transfer-Encoding", "Content-Disposition",
        }  # fmt: skip
