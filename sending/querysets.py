from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from sending.models import QueuedEmail, SendLog  # noqa: F401


class QueuedEmailQuerySet(models.QuerySet["QueuedEmail"]):
    pass


class SendLogQuerySet(models.QuerySet["SendLog"]):
    pass
