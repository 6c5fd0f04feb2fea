"""System checks: what is wrong in the settings shows at start-up, with the cure."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from accounts import network


@register()
def certificate_authorities_are_readable(**_: Any) -> list[CheckMessage]:
    """accounts.E001: SMTP_CA_FILE can't be read, or holds no certificate."""
    try:
        network.tls_context()
    except network.UnusableAuthorities as error:
        hint = "Name a PEM file of certificate authorities, or leave it empty to trust the system's."
        return [Error(f"{error}.", hint=hint, id="accounts.E001")]
    return []
