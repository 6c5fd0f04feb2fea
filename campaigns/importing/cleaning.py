"""What becomes of the text in a cell. The admin's forms clean by the same rules."""

import re

import email_validator
from django.utils.translation import gettext as _

# Copied along from web pages and chats, and seen by nobody.
INVISIBLE_ENDS = "\u200b\u200c\u200d\u2060\ufeff"
# C0 and C1 controls, and Unicode's line and paragraph separators: none may reach a header.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What PostgreSQL's text can't hold.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_value(text: str) -> str:
    """A merge field's value: as it is, without white space around it; NUL and lone surrogates dropped."""
    return UNSTORABLE.sub("", text).strip()


def is_address(cell: str) -> bool:
    """Whether a cell holds an address that can be used."""
    try:
        clean_email(cell)
    except ValueError:
        return False
    return True


def clean_name(text: str) -> str:
    """A name, which goes into headers: on one line, each run of white space and controls one space."""
    return " ".join(CONTROLS.sub(" ", clean_value(text)).split())


def clean_email(text: str) -> str:
    """The address as it is kept: its domain in lower case and IDNA's ASCII form, its local part as written.

    Raises ValueError with a reason in plain words. A domain that can't exist on the internet is
    refused, except .test, which is there for trying things out (RFC 2606). A local part beyond
    ASCII is refused: it needs SMTPUTF8 (RFC 6531), which few servers take.
    """
    address = clean_value(text).strip(INVISIBLE_ENDS).strip()
    if not address:
        raise ValueError(_("The address is missing."))
    if len(address) > 1000:
        raise ValueError(_("The address is too long."))
    checked = email_validator.validate_email(
        address,
        check_deliverability=False,
        allow_smtputf8=False,
        test_environment=True,
        strict=True,  # a local part over 64 octets too: servers need not take it (RFC 5321 section 4.5.3.1.1)
    )
    return checked.ascii_email or checked.normalized
