from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.db.models.functions import Now

from accounts.phases import Phase

if TYPE_CHECKING:
    from sending.models import SendLog  # noqa: F401


class SendLogQuerySet(models.QuerySet["SendLog"]):
    def in_a_row(self, scopes: Collection[str], count: int) -> bool:
        """Whether the last `count` attempts in this ledger are about these scopes, each with another mail.

        Over all batches of the last 24 hours. Passed over, since they say nothing of server or message:
        what went back at no cost, what could not be composed, what a person entered.
        """
        last = (
            self.filter(at__gt=Now() - timedelta(hours=24))
            .exclude(outcome="returned")
            .exclude(phase__in=[Phase.COMPOSE, Phase.RESOLUTION])
            .order_by("-at", "-id")
            .values_list("scope", "queued_email")[:count]
        )
        return len({mail for scope, mail in last if scope in scopes}) == count
