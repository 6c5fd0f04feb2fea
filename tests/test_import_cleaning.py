"""Which addresses are taken, and what becomes of the text in cells."""

import pytest

from campaigns.importing.cleaning import clean_email, clean_name, clean_value


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("anna@example.com", "anna@example.com"),
        ("  Anna.M+news@Example.COM\t", "Anna.M+news@example.com"),
        ("\ufeffanna@example.com\u200b", "anna@example.com"),
        ("\u00a0anna@example.com\u00a0", "anna@example.com"),
        ("anna@BÜCHER.example", "anna@xn--bcher-kva.example"),
        ("anna@xn--bcher-kva.example", "anna@xn--bcher-kva.example"),
        ("o'neil@example.org", "o'neil@example.org"),
        ("anna@mail.test", "anna@mail.test"),
    ],
)
def test_an_address_is_kept_with_its_domain_in_lower_case_ascii(written, kept):
    assert clean_email(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        *("", " ", "anna", "@example.com", "anna@", "anna@@example.com", "a b@example.com", "anna@example"),
        *(
            "anna@example..com",
            ".anna@example.com",
            "anna@-example.com",
            "anna@[127.0.0.1]",
            "jörg@example.com",
        ),
        *("a@example.com,b@example.com", "a@example.com\nBcc: b@example.com", "anna@localhost"),
        *(
            "x" * 65 + "@example.com",
            "a@" + "x." * 130 + "example",
            pytest.param("x" * 100_000 + "@example.com", id="huge"),
        ),
        *("anna@machine.local", "Anna <anna@example.com>", "anna@example.com\x00.evil.example\x07"),
    ],
)
def test_a_bad_address_is_refused_with_a_reason(written):
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        clean_email(written)


def test_a_name_holds_nothing_that_could_break_a_header():
    assert clean_name(" Anna\r\nBcc: x@example.com\u2028\x00\x85 Maier\t") == "Anna Bcc: x@example.com Maier"


def test_a_value_keeps_its_lines_and_loses_only_what_can_not_be_stored():
    assert clean_value(" one\r\n\ttwo\x00 \ud800\n") == "one\r\n\ttwo"
