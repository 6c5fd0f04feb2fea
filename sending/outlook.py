"""How campaigns stand, as staff are shown it: the word for the state, progress, rate, and when they end."""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from sending import forecast, last_hours
from sending.campaign import campaign_model
from sending.limit_words import LIMITS
from sending.models import Pacing, QueuedEmail
from sending.status import OPEN, STATES

ENDED = tuple(state for state in STATES if state not in OPEN)
WAITING = ("pending", "sending", "retry")
# What a state is called, and the tone of its chip (templates/partials/chip.html).
SAID = {
    "draft": (_("draft"), ""),
    "queueing": (_("being queued"), "busy"),
    "sending": (_("sending"), "busy"),
    "paused": (_("paused"), "warning"),
    "cancelled": (_("cancelled"), ""),
    "finished": (_("finished"), "good"),
    "ready": (_("ready"), "good"),
    "spaced": (_("ready"), "good"),
    "full": (_("limit reached"), "warning"),
    "disabled": (_("disabled"), ""),
}


def of(campaigns: Iterable[dict[str, Any]], status: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    """These campaigns of queue_status(), each with: label and tone of its state; done, open and total;
    rate, its mails of the last hour; finish, when it ends as far as can be foreseen, or None."""
    moving = [one for one in status["campaigns"] if any(one[state] for state in OPEN)]
    rates = last_hours.rates()
    finish = _finish(status, moving, rates.values(), now) if status["alive"] and moving else {}
    return [
        {
            **with_words(campaign),
            **_progress(campaign),
            "rate": rates[campaign["id"]].count if campaign["id"] in rates else 0,
            "finish": finish.get(campaign["id"]),
        }
        for campaign in campaigns
    ]


def with_words(row: dict[str, Any]) -> dict[str, Any]:
    """With the word for its state, that word's tone, and what the limit is called that holds it back."""
    label, tone = SAID[row.get("state") or row["status"]]
    return {**row, "label": label, "tone": tone, "held_label": LIMITS.get(row.get("held_by", ""), "")}


def _progress(campaign: dict[str, Any]) -> dict[str, int]:
    ended, total = sum(campaign[s] for s in ENDED), sum(campaign[s] for s in STATES)
    done = ended - campaign["cancelled"]  # what was called off was not done
    return {"done": done, "good": done - campaign["failed"], "open": total - ended, "total": total}


def _finish(
    status: dict[str, Any], campaigns: list[dict[str, Any]], rates: Iterable[last_hours.Rate], now: datetime
) -> dict[int, datetime]:
    """When each campaign that goes out will be finished, as far as can be foreseen."""
    waiting = foreseen_campaigns(campaigns)
    finish = foresee(status, waiting, rates, now).finish
    retries = _last_retries([one["id"] for one in campaigns if one["retry"]])
    return {campaign: max(at, retries.get(campaign, at)) for campaign, at in finish.items()}


def _last_retries(campaigns: list[int]) -> dict[int, datetime]:
    """When the last retry of each of these campaigns (ids) that waits for one is due."""
    if not campaigns:
        return {}
    retries = QueuedEmail.objects.filter(campaign=OuterRef("pk"), status=QueuedEmail.Status.RETRY)
    last = Subquery(retries.order_by("-next_attempt_at").values("next_attempt_at")[:1])
    found = campaign_model().objects.filter(pk__in=campaigns).order_by().annotate(at=last)
    return {pk: timezone.localtime(at) for pk, at in found.values_list("pk", "at") if at}


def foreseen_campaigns(campaigns: Iterable[dict[str, Any]]) -> list[forecast.Campaign]:
    """Those of queue_status() whose mail goes out, in the order of sending."""
    return [as_waiting(one) for one in campaigns if one["status"] == "sending"]


def as_waiting(campaign: dict[str, Any], more: int = 0) -> forecast.Campaign:
    """A campaign of queue_status() as the forecast takes it, with so many mails more."""
    waiting = sum(campaign[state] for state in WAITING) + more
    accounts = frozenset(campaign["account_ids"])
    return forecast.Campaign(campaign["id"], waiting, accounts, campaign["scheduled_at"])


def may_go_on(account: dict[str, Any]) -> bool:
    """Whether an account of queue_status() sends, now or later, without a person's help."""
    return account["state"] in ("ready", "spaced", "full") or bool(account["paused_until"])


def foresee(
    status: dict[str, Any],
    waiting: Sequence[forecast.Campaign],
    rates: Iterable[last_hours.Rate],
    now: datetime,
) -> forecast.Forecast:
    """The forecast for these campaigns, in the order of sending, over the accounts of queue_status()."""
    accounts, pacing = foreseen_accounts(status, now), Pacing.load()
    return forecast.forecast(now, waiting, accounts, _pace(pacing, rates, len(accounts)), pacing.window)


def foreseen_accounts(status: dict[str, Any], now: datetime) -> list[forecast.Account]:
    """The accounts of queue_status() that go on, as the forecast takes them."""
    freed = last_hours.freed(account["id"] for account in status["accounts"])
    return [_as_foreseen(a, freed.get(a["id"], ()), now) for a in status["accounts"] if may_go_on(a)]


def _as_foreseen(
    account: dict[str, Any], freed: Sequence[tuple[datetime, int]], now: datetime
) -> forecast.Account:
    """What is being sent has its place within the limit already, and is among the campaigns' open mails."""
    day_ends = account["day_frees_at"] if account["limit_window"] == "calendar" else None
    return forecast.Account(
        account["id"],
        left=max(0, account["limit"] - account["used"]) + account["sending"],
        usable_from=account["paused_until"] or now,
        freed=[(day_ends, account["used"])] if day_ends else freed,
        day_ends=day_ends,
        per_minute=_most_a_minute(account),
    )


def _most_a_minute(account: dict[str, Any]) -> float:
    """What its spacing and its limits of the hour and the minute let out."""
    limits = {span["name"]: span["limit"] for span in account["limits"]}
    return min(
        limits.get("hour", math.inf) / 60,
        limits.get("minute", math.inf),
        60 / account["spacing"] if account["spacing"] else math.inf,
    )


def _pace(pacing: Pacing, rates: Iterable[last_hours.Rate], accounts: int) -> float:
    return forecast.pace(
        batch_size=pacing.batch_size,
        batch_interval=pacing.batch_interval,
        delay=pacing.delay + pacing.jitter / 2,
        seconds=seconds_of_an_attempt(rates),
        lanes=max(1, accounts) if pacing.scope == Pacing.Scope.ACCOUNT else 1,
    )


def seconds_of_an_attempt(rates: Iterable[last_hours.Rate]) -> float:
    """As measured in the last hour; a usual time where nothing was."""
    measured = [(rate.count, rate.count * rate.seconds) for rate in rates]
    count, seconds = sum(n for n, _s in measured), sum(s for _n, s in measured)
    return seconds / count if count else forecast.USUAL_SECONDS
