"""What the knobs lead to with the accounts and the mail that there are: for the page of the pacing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.words import number
from sending import forecast, knobs, last_hours, outlook
from sending.durations import in_words
from sending.models import Pacing
from sending.status import queue_status

EXAMPLES = (100, 1_000, 10_000)


@dataclass(frozen=True)
class Takes:
    """So many mails, how long they take from now on in words, and when they are gone; None: out of sight."""

    count: int
    length: str
    finish: datetime | None


@dataclass(frozen=True)
class Outlook:
    """effect: of the knobs; accounts: those that send, as queue_status() tells them; waiting: how long the
    mail in the queue takes, None where none waits; examples: how long others would, were the queue empty."""

    effect: knobs.Effect
    accounts: Sequence[dict[str, Any]]
    waiting: Takes | None
    examples: Sequence[Takes]

    @property
    def left(self) -> int:
        """Mails that the accounts' limits leave now."""
        return sum(account["left"] for account in self.accounts)

    @property
    def sentence(self) -> str:
        """The pace, the day and the queue in one."""
        rate = _("%(rate)s mails a minute") % {"rate": knobs.figure(self.effect.per_minute)}
        day = ngettext(
            "at most %(count)s a day over %(n)s account",
            "at most %(count)s a day over %(n)s accounts",
            len(self.accounts),
        ) % {"count": number(self.effect.per_day), "n": len(self.accounts)}
        return f"{rate}; {day}."


def of(pacing: Pacing, now: datetime) -> Outlook:
    """What these knobs, stored or not, lead to. A constant number of statements.

    now: in the time zone in which times are told.
    """
    status = queue_status()
    accounts = outlook.foreseen_accounts(status, now)
    sending = {account.id for account in accounts}
    told = [account for account in status["accounts"] if account["id"] in sending]
    seconds = outlook.seconds_of_an_attempt(last_hours.rates().values())
    facts = knobs.Facts(
        seconds=seconds,
        limit=sum(account["limit"] for account in told),
        account_rate=sum(account.per_minute for account in accounts) if accounts else 0,
        accounts=len(accounts),
        budget=settings.BATCH_BUDGET,
    )
    effect = knobs.effect(pacing, facts)

    def takes(*campaigns: forecast.Campaign) -> Takes:
        found = forecast.forecast(now, campaigns, accounts, effect.per_minute, pacing.window)
        return _takes(now, campaigns, found)

    queue = outlook.foreseen_campaigns(status["campaigns"])
    everywhere = frozenset(sending)
    return Outlook(
        effect,
        told,
        waiting=takes(*queue) if any(campaign.open for campaign in queue) else None,
        examples=[takes(forecast.Campaign(0, n, everywhere)) for n in EXAMPLES] if accounts else [],
    )


def _takes(now: datetime, campaigns: Sequence[forecast.Campaign], found: forecast.Forecast) -> Takes:
    finish = found.finish
    count = sum(campaign.open for campaign in campaigns)
    if any(campaign.open and campaign.id not in finish for campaign in campaigns):
        return Takes(count, "", None)
    last = max(finish.values())
    return Takes(count, in_words((last - now).total_seconds()), last)
