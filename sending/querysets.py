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
        """Whether the last `count` attempts in this ledger are about these scopes, each with another mail."""
        last = self.last_tries(count).values_list("scope", "queued_email")
        return len({mail for scope, mail in last if scope in scopes}) == count

    def last_tries(self, count: int) -> "SendLogQuerySet":
        """The last `count` attempts that tell of server or message, over all batches of the last 24 hours.

        Passed over: what went back at no cost, what could not be composed, what a person entered.
        """
        told = self.exclude(outcome="returned").exclude(phase__in=[Phase.COMPOSE, Phase.RESOLUTION])
        return told.filter(at__gt=Now() - timedelta(hours=24)).order_by("-at", "-id")[:count]
