"""System checks of what sending is set to: a wrong setting shows at start-up, with the cure."""

import math
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from accounts import timeouts


@register()
def lease_outlasts_the_slowest_mail(**_: Any) -> list[CheckMessage]:
    """sending.E001 in production, sending.W001 elsewhere: BATCH_LEASE ends before a slow mail may.

    Such a worker loses its batch with a mail in its hand. Nothing is sent twice by that, but each time
    the mail is uncertain until the server answers. A test that kills workers may want a short lease.
    """
    slowest = math.ceil(timeouts.slowest_mail(settings.SMTP_TIMEOUT))
    if slowest < settings.BATCH_LEASE:
        return []
    text = f"BATCH_LEASE is {settings.BATCH_LEASE} s, but one mail may take {slowest} s."
    hint = f"Set BATCH_LEASE to more than {slowest}, or SMTP_TIMEOUT to less than {settings.SMTP_TIMEOUT}."
    if settings.PRODUCTION:
        return [Error(text, hint=hint, id="sending.E001")]
    return [Warning(text, hint=hint, id="sending.W001")]
