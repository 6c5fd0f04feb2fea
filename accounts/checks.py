"""System checks: what is wrong in the settings shows at start-up, with the cure."""

import ssl
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def certificate_authorities_are_readable(**_: Any) -> list[CheckMessage]:
    """accounts.E001: SMTP_CA_FILE can't be read, or holds no certificate."""
    try:
        ssl.create_default_context(cafile=settings.SMTP_CA_FILE or None)
    except OSError as error:
        hint = "Name a PEM file of certificate authorities, or leave it empty to trust the system's."
        reason = error.strerror or type(error).__name__
        return [Error(f"SMTP_CA_FILE can't be used: {reason}.", hint=hint, id="accounts.E001")]
    return []
