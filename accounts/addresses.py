"""Addresses as SMTP takes them."""

import idna


def ascii_domain(domain: str) -> str:
    """The domain as its A-labels (IDNA 2008, RFC 5891), which any server takes.

    Not the stdlib's codec: IDNA 2003 makes another domain of one with a sharp s. Raises ValueError
    for what is no domain.
    """
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
