"""How sending stands: the figures of `queue_status`, of the dashboard and of monitoring.

Counts come from the tally, which a trigger keeps exact; nothing here counts the queue. The number
of queries does not depend on the number of campaigns or accounts.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Min, Sum
from django.utils import timezone

from accounts.models import SmtpAccount
from sending import capacity, waiting
from sending.campaign import ORDER, campaign_model
from sending.models import Batch, Heartbeat, Pacing, QueuedEmail, SendLog, Tally

STATES = QueuedEmail.Status.values
OPEN = ("pending", "sending", "retry", "uncertain")


@dataclass(frozen=True)
class _Seen:
    """What was read, once, for all that is told."""

    now: datetime
    alive: bool
    pacing: Pacing
    accounts: dict[int, dict[str, Any]]
    retries: dict[int, datetime]


def queue_status() -> dict[str, Any]:
    """Everything that the shell contract's `queue_status --json` prints; times are aware datetimes.

    {state: count for each state, "campaigns": [...], "accounts": [...], "alive": bool, "waiting": why
    mail waits, in one sentence, or ""}. Campaigns stand in the order in which they are sent, drafts
    last; one that has nothing left to do has the status "finished". "ahead": how many campaigns before
    it have mail to send and an account that is ready.
    """
    by_campaign, by_account, total = _counts()
    now = database_now()
    seen = _Seen(
        now=timezone.localtime(now),
        alive=is_alive(last_sign(), now),
        pacing=Pacing.objects.first() or Pacing(),
        accounts=_accounts(by_account, now),
        retries=_next_retries(),
    )
    campaigns = _campaigns()
    told = _tell_campaigns(campaigns, by_campaign, seen)
    return {
        **_by_state(total),
        "campaigns": told,
        "accounts": list(seen.accounts.values()),
        "alive": seen.alive,
        "waiting": _why(total, seen, seen.accounts.values(), _waiting(campaigns, by_campaign)),
    }


def is_alive(beat: Heartbeat | None, now: datetime) -> bool:
    """Whether the last sign of life is fresh by Postgres' clock (`now`), and not of a failure.

    The dispatcher beats at least every 30 s; three missed beats are no hiccup.
    """
    limit = timedelta(seconds=settings.SILENT_AFTER)
    return beat is not None and beat.at > now - limit and not beat.outcome.startswith("failed")


def last_sign() -> Heartbeat | None:
    """The last beat of a dispatcher, or of a batch where the workers are all busy sending."""
    beats = Heartbeat.objects.filter(job__in=("dispatch", "send_batch"))
    return beats.exclude(job="send_batch", outcome__startswith="failed").order_by("-at").first()


def sent_today() -> int:
    """Mails that servers have taken since midnight, in the server's time zone (TIME_ZONE)."""
    midnight = timezone.localtime(timezone=timezone.get_default_timezone()).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return SendLog.objects.filter(outcome=SendLog.Outcome.SENT, at__gte=midnight).count()


def last_batches(count: int = 8) -> list[Batch]:
    """The batches that were settled last, newest first."""
    finished = Batch.objects.filter(finished__isnull=False).select_related("account")
    return list(finished.order_by("-id")[:count])


def _counts() -> tuple[dict[int, Counter[str]], dict[int, Counter[str]], Counter[str]]:
    by_campaign: dict[int, Counter[str]] = defaultdict(Counter)
    by_account: dict[int, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    rows = Tally.objects.values_list("campaign", "account", "status").annotate(n=Sum("count"))
    for campaign, account, status, count in rows:
        by_campaign[campaign][status] += count
        if account is not None:
            by_account[account][status] += count
        total[status] += count
    return by_campaign, by_account, total


def _by_state(counts: Counter[str]) -> dict[str, int]:
    return {state: counts[state] for state in STATES}


def database_now() -> datetime:
    """The one clock's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]


def _next_retries() -> dict[int, datetime]:
    """When the next retry of each campaign is due."""
    retries = QueuedEmail.objects.filter(status=QueuedEmail.Status.RETRY).order_by()
    return dict(retries.values_list("campaign").annotate(at=Min("next_attempt_at")))


def _accounts(by_account: dict[int, Counter[str]], now: datetime) -> dict[int, dict[str, Any]]:
    accounts = list(SmtpAccount.objects.all())
    ids = [account.pk for account in accounts]
    used, frees_at = capacity.used(ids), capacity.frees_at(ids)
    return {a.pk: _tell_account(a, used[a.pk], frees_at.get(a.pk), by_account[a.pk], now) for a in accounts}


def _tell_account(
    account: SmtpAccount, used: int, frees_at: datetime | None, counts: Counter[str], now: datetime
) -> dict[str, Any]:
    state = _account_state(account, used, now)
    return {
        "id": account.pk,
        "name": account.name,
        "email": account.email,
        "used": used,
        "limit": account.daily_limit,
        "left": max(0, account.daily_limit - used),
        "state": state,
        "pause_reason": account.pause_reason if state == "paused" else "",
        "paused_until": account.paused_until if state == "paused" else None,
        "next_free_at": frees_at,
        **_by_state(counts),
    }


def _account_state(account: SmtpAccount, used: int, now: datetime) -> str:
    if not account.is_enabled:
        return "disabled"
    if account.pause_reason and (account.paused_until is None or account.paused_until > now):
        return "paused"
    return "full" if used >= account.daily_limit else "ready"


def _campaigns() -> list[Any]:
    fields = ("name", "status", "pause_reason", "scheduled_at", "queued_at")
    return list(campaign_model().objects.order_by(*ORDER).prefetch_related("accounts").only(*fields))


def _tell_campaigns(
    campaigns: list[Any], by_campaign: dict[int, Counter[str]], seen: _Seen
) -> list[dict[str, Any]]:
    told, earlier = [], 0
    for campaign in campaigns:
        counts = by_campaign[campaign.pk]
        accounts = _accounts_of(campaign, seen)
        told.append(
            {
                "id": campaign.pk,
                "name": campaign.name,
                "status": _campaign_status(campaign, counts),
                "scheduled_at": campaign.scheduled_at,
                "account_ids": [account["id"] for account in accounts],
                **_by_state(counts),
                "ahead": earlier,
                "waiting": _why(counts, seen, accounts, [campaign], earlier, seen.retries.get(campaign.pk)),
            }
        )
        goes_first = _may_send(campaign, seen) and any(a["state"] == "ready" for a in accounts)
        earlier += bool(counts["pending"] and goes_first)
    return told


def _accounts_of(campaign: Any, seen: _Seen) -> list[dict[str, Any]]:
    chosen = [seen.accounts[a.pk] for a in campaign.accounts.all() if a.pk in seen.accounts]
    return chosen or list(seen.accounts.values())


def _campaign_status(campaign: Any, counts: Counter[str]) -> str:
    """Its status; "finished" when it is being sent and none of its mails can move any more."""
    if campaign.status == "sending" and not any(counts[state] for state in OPEN):
        return "finished"
    return campaign.status


def _waiting(campaigns: list[Any], by_campaign: dict[int, Counter[str]]) -> list[Any]:
    return [c for c in campaigns if by_campaign[c.pk]["pending"] or by_campaign[c.pk]["retry"]]


def _may_send(campaign: Any, seen: _Seen) -> bool:
    return _as_campaign(campaign).may_send(seen.now)


def _as_campaign(campaign: Any) -> waiting.Campaign:
    return waiting.Campaign(campaign.status, campaign.scheduled_at, campaign.pause_reason)


def _why(
    counts: Counter[str],
    seen: _Seen,
    accounts: Iterable[dict[str, Any]],
    campaigns: list[Any],
    earlier: int = 0,
    retry_at: datetime | None = None,
) -> str:
    facts = waiting.Facts(
        now=seen.now,
        alive=seen.alive,
        pending=counts["pending"],
        retry=counts["retry"],
        uncertain=counts["uncertain"],
        retry_at=retry_at or min(seen.retries.values(), default=None),
        accounts=[
            waiting.Account(a["state"], a["next_free_at"], a["paused_until"], a["pause_reason"])
            for a in accounts
        ],
        campaigns=[_as_campaign(campaign) for campaign in campaigns],
        earlier=earlier,
        batch_size=seen.pacing.batch_size,
        batch_interval=seen.pacing.batch_interval,
    )
    return waiting.why_it_waits(facts)
