"""Addresses as SMTP takes them."""

import re

import idna
from django.utils.translation import gettext as _

# RFC 5322 section 3.2.3: dot-atom-text
ATOMS = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_LOCAL_PART = re.compile(f"{ATOMS}|{_QUOTED}")
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?"
    r"|\[[A-Za-z0-9.:-]{1,60}\]"
)


def ascii_domain(domain: str) -> str:
    """The domain as its A-labels (IDNA 2008, RFC 5891), which any server takes.

    Not the stdlib's codec: IDNA 2003 makes another domain of one with a sharp s. Raises ValueError
    for what is no domain.
    """
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")


def ascii_address(address: str) -> str:
    """The address as SMTP takes it: an internationalised domain as its A-labels.

    Raises ValueError, in a sentence without the address, for what is no address or needs SMTPUTF8
    (RFC 6531), which few servers have.
    """
    local, at, domain = address.rpartition("@")
    try:
        domain = ascii_domain(domain)
    except ValueError:
        raise ValueError(_("The domain of the address can't be expressed in a message.")) from None
    if not local.isascii():
        raise ValueError(_("The address has letters before the @ that few servers take (SMTPUTF8)."))
    valid = at and _LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(domain)
    # RFC 5321 section 4.5.3.1: 64 octets before the @, 256 of the path with its brackets.
    if not valid or len(local) > 64 or len(local) + len(domain) + 1 > 254:
        raise ValueError(_("The address can't be expressed in a message."))
    return f"{local}@{domain}"
