"""System checks: what is wrong in the settings shows at start-up, with the cure."""

import ssl
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

MAKE_KEY = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"


@register()
def credential_keys_are_fernet_keys(**_: Any) -> list[CheckMessage]:
    """accounts.E001: CREDENTIAL_KEYS is empty, or holds something that is no Fernet key."""
    hint = f"Make a key and put it first: {MAKE_KEY}"
    if not settings.CREDENTIAL_KEYS:
        return [Error("CREDENTIAL_KEYS is empty.", hint=hint, id="accounts.E001")]
    return [
        # The key itself stays out of the message: a mistyped one may be all but right.
        Error(f"Entry {number} of CREDENTIAL_KEYS is not a Fernet key.", hint=hint, id="accounts.E001")
        for number, key in enumerate(settings.CREDENTIAL_KEYS, start=1)
        if not _is_fernet_key(key)
    ]


@register()
def certificate_authorities_are_readable(**_: Any) -> list[CheckMessage]:
    """accounts.E002: SMTP_CA_FILE can't be read, or holds no certificate."""
    try:
        ssl.create_default_context(cafile=settings.SMTP_CA_FILE or None)
    except OSError as error:
        hint = "Name a PEM file of certificate authorities, or leave it empty to trust the system's."
        reason = error.strerror or type(error).__name__
        return [Error(f"SMTP_CA_FILE can't be used: {reason}.", hint=hint, id="accounts.E002")]
    return []


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key)
    except (ValueError, TypeError):
        return False
    return True
