"""How sending stands: the figures of `queue_status`, of the dashboard and of monitoring.

Counts come from the tally, which a trigger keeps exact; nothing here counts the queue. The number
of queries does not depend on the number of campaigns or accounts.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Subquery, Sum
from django.utils import timezone

from accounts.clock import database_now
from accounts.models import SmtpAccount
from sending import capacity, health, life_signs, uncertain, waiting, waiting_facts
from sending.campaign import ORDER, campaign_model
from sending.database import one_snapshot
from sending.models import Batch, Pacing, QueuedEmail, Tally
from sending.uncertain import Expected, Next

STATES = QueuedEmail.Status.values
OPEN = ("pending", "sending", "retry", "uncertain")


@dataclass(frozen=True)
class _Seen:
    """What was read, once, for all that is told."""

    now: datetime
    alive: bool
    failing: bool
    stuck: bool
    pacing: Pacing
    accounts: dict[int, dict[str, Any]]
    retries: dict[int, datetime]
    uncertain: dict[int, dict[str, Expected]]
    slow: bool
    silent: dict[int, datetime]
    silent_campaigns: set[int]  # that have mails in those


@one_snapshot()
def queue_status() -> dict[str, Any]:
    """Everything that the shell contract's `queue_status --json` prints; times are aware datetimes.

    {state: count for each state, "campaigns": [...], "accounts": [...], "alive": bool, "waiting": why
    mail waits, in one sentence, or ""}. "failing": sending runs, but its last look at the queue failed;
    "stuck": it looks, and due mail lies still. Campaigns stand in the order in which they are sent, drafts
    last; one that has nothing left to do has the status "finished". "ahead": for how many campaigns it waits,
    which have mail to send and an account that is ready. All of it is as of one moment.
    """
    by_campaign, by_account, total = _counts()
    now, sign = database_now(), life_signs.last_sign()
    silent = life_signs.silent_batches(now) if total["sending"] else {}
    seen = _Seen(
        now=timezone.localtime(now),
        alive=life_signs.is_alive(sign, now),
        failing=life_signs.is_failing(sign, now),
        stuck=life_signs.seen_stuck(now) and health.is_stuck(now),
        pacing=Pacing.objects.first() or Pacing(),
        accounts=_accounts(by_account, now),
        retries=_next_retries(by_campaign),
        uncertain=uncertain.in_numbers() if total["uncertain"] else {},
        slow=bool(total["sending"]) and life_signs.is_slow(now),
        silent=silent,
        silent_campaigns=_campaigns_in(silent) if silent else set(),
    )
    campaigns = _campaigns()
    told = _tell_campaigns(campaigns, by_campaign, seen)
    return {
        **_by_state(total),
        "campaigns": told,
        "accounts": list(seen.accounts.values()),
        "alive": seen.alive,
        "failing": seen.failing,
        "stuck": seen.stuck,
        "waiting": _why_all(total, seen, _waiting(campaigns, by_campaign), by_campaign),
    }


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


def _next_retries(by_campaign: dict[int, Counter[str]]) -> dict[int, datetime]:
    """When the next retry of each campaign is due, by one look into the index for each that has any."""
    waiting = [campaign for campaign, counts in by_campaign.items() if counts["retry"]]
    retries = QueuedEmail.objects.filter(campaign=OuterRef("pk"), status=QueuedEmail.Status.RETRY)
    next_at = Subquery(retries.order_by("next_attempt_at").values("next_attempt_at")[:1])
    found = campaign_model().objects.filter(pk__in=waiting).order_by().annotate(at=next_at)
    return dict(found.filter(at__isnull=False).values_list("pk", "at"))


def _campaigns_in(batches: Iterable[int]) -> set[int]:
    mails = QueuedEmail.objects.filter(batch__in=list(batches), status=QueuedEmail.Status.SENDING)
    return set(mails.values_list("campaign", flat=True))


def _accounts(by_account: dict[int, Counter[str]], now: datetime) -> dict[int, dict[str, Any]]:
    accounts = list(SmtpAccount.objects.all())
    capacities = capacity.look(account.pk for account in accounts)
    return {a.pk: _tell_account(a, capacities[a.pk], by_account[a.pk], now) for a in accounts}


def _tell_account(
    account: SmtpAccount, known: capacity.Capacity, counts: Counter[str], now: datetime
) -> dict[str, Any]:
    state = _account_state(account, known, now)
    return {
        "id": account.pk,
        "name": account.name,
        "email": account.email,
        "used": known.used,
        "limit": known.limit,
        "left": known.left,
        "state": state,
        "pause_reason": account.pause_reason if state == "paused" else "",
        "paused_until": account.paused_until if state == "paused" else None,
        "goes_on_at": _goes_on_at(account, known, state),
        "held_by": known.held_by,
        "next_free_at": known.held_until or known.day_frees_at,
        "daily_limit": account.daily_limit,
        "limit_window": account.limit_window,
        "day_frees_at": known.day_frees_at,
        "spacing": account.spacing,
        "limits": [
            {"name": span.name, "used": span.taken, "limit": span.most, "left": span.left}
            for span in known.spans
        ],
        **_by_state(counts),
    }


def _goes_on_at(account: SmtpAccount, known: capacity.Capacity, state: str) -> datetime | None:
    """When it takes its next mail by itself; None: now, or not without a person."""
    if state == "paused":
        ends = account.paused_until
        return ends and max(ends, known.held_until or ends)
    return known.held_until if state in ("full", "spaced") else None


def _account_state(account: SmtpAccount, known: capacity.Capacity, now: datetime) -> str:
    if not account.is_enabled:
        return "disabled"
    if account.pause_reason and (account.paused_until is None or account.paused_until > now):
        return "paused"
    if not known.left:
        return "full"
    return "spaced" if known.held_by else "ready"


def _campaigns() -> list[Any]:
    fields = ("name", "status", "pause_reason", "scheduled_at", "queued_at")
    return list(campaign_model().objects.order_by(*ORDER).prefetch_related("accounts").only(*fields))


def _tell_campaigns(
    campaigns: list[Any], by_campaign: dict[int, Counter[str]], seen: _Seen
) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    earlier: list[set[int]] = []  # the ready accounts of each that goes first
    for campaign in campaigns:
        counts = by_campaign[campaign.pk]
        accounts = _accounts_of(campaign, seen)
        ready = {account["id"] for account in accounts if account["state"] == "ready"}
        ahead = _in_the_way(earlier, ready, seen)
        told.append(
            {
                "id": campaign.pk,
                "name": campaign.name,
                "status": _campaign_status(campaign, counts),
                "scheduled_at": campaign.scheduled_at,
                "account_ids": [account["id"] for account in accounts],
                **_by_state(counts),
                "ahead": ahead,
                "waiting": _why(counts, seen, accounts, [campaign], ahead, campaign.pk),
            }
        )
        if counts["pending"] and ready and _may_send(campaign, seen):
            earlier.append(ready)
    return told


def _in_the_way(earlier: list[set[int]], ready: set[int], seen: _Seen) -> int:
    """How many earlier campaigns a campaign has to wait for: none where an account is its own, and has its
    own batches."""
    has_own = seen.pacing.scope == Pacing.Scope.ACCOUNT and bool(ready.difference(*earlier))
    return 0 if has_own else len(earlier)


def _accounts_of(campaign: Any, seen: _Seen) -> list[dict[str, Any]]:
    chosen = [seen.accounts[a.pk] for a in campaign.accounts.all() if a.pk in seen.accounts]
    return chosen or list(seen.accounts.values())


def _campaign_status(campaign: Any, counts: Counter[str]) -> str:
    """Its status; "finished" when it is being sent and none of its mails can move any more."""
    if campaign.status == "sending" and not any(counts[state] for state in OPEN):
        return "finished"
    return campaign.status


def _why_all(
    counts: Counter[str], seen: _Seen, campaigns: list[Any], by_campaign: dict[int, Counter[str]]
) -> str:
    """The sentence for all campaigns that wait; about the accounts of those that may send."""
    sending = [c for c in campaigns if _may_send(c, seen)]
    used = {a["id"]: a for c in sending for a in _accounts_of(c, seen)}
    due = [c for c in sending if by_campaign[c.pk]["pending"]]
    takers = {a["id"] for c in due for a in _accounts_of(c, seen)}
    return _why(counts, seen, used.values(), campaigns, takers=takers)


def _waiting(campaigns: list[Any], by_campaign: dict[int, Counter[str]]) -> list[Any]:
    return [c for c in campaigns if by_campaign[c.pk]["pending"] or by_campaign[c.pk]["retry"]]


def _may_send(campaign: Any, seen: _Seen) -> bool:
    return _as_campaign(campaign, seen).may_send(seen.now)


def _as_campaign(campaign: Any, seen: _Seen) -> waiting_facts.Campaign:
    has_account = any(account["state"] != "disabled" for account in _accounts_of(campaign, seen))
    return waiting_facts.Campaign(campaign.status, campaign.scheduled_at, campaign.pause_reason, has_account)


def _why(
    counts: Counter[str],
    seen: _Seen,
    accounts: Iterable[dict[str, Any]],
    campaigns: list[Any],
    earlier: int = 0,
    only: int | None = None,
    takers: Collection[int] | None = None,
) -> str:
    """The sentence, for all campaigns or only one (id). takers: the accounts (ids) that are open to pending
    mail which may go out; None: all of them."""
    retry_at = seen.retries.get(only) if only else None
    waits = counts["pending"] or counts["retry"]
    silent = seen.silent if waits or not only or only in seen.silent_campaigns else {}
    plans = [seen.uncertain.get(only, {})] if only else list(seen.uncertain.values())
    looks = [plan[what] for plan in plans for what in (Next.LOOK, Next.FOUND) if what in plan]
    resends = [plan[Next.RESEND] for plan in plans if Next.RESEND in plan]
    is_one_at_a_time = seen.pacing.scope == Pacing.Scope.ALL
    facts = waiting_facts.Facts(
        now=seen.now,
        alive=seen.alive,
        failing=seen.failing,
        stuck=seen.stuck,
        pending=counts["pending"],
        sending=counts["sending"],
        retry=counts["retry"],
        uncertain=counts["uncertain"],
        looked_for=sum(one.count for one in looks),
        look_at=min((one.at for one in looks), default=None),
        resent=sum(one.count for one in resends),
        resend_at=min((one.at for one in resends), default=None),
        retry_at=retry_at or min(seen.retries.values(), default=None),
        accounts=[
            waiting_facts.Account(
                a["state"],
                a["next_free_at"],
                a["goes_on_at"],
                a["pause_reason"],
                a["held_by"],
                takes_pending=takers is None or a["id"] in takers,
            )
            for a in accounts
        ],
        campaigns=[_as_campaign(campaign, seen) for campaign in campaigns],
        earlier=earlier,
        batch_size=seen.pacing.batch_size,
        batch_interval=seen.pacing.batch_interval,
        window=seen.pacing.window,
        silent=len(silent),
        silent_until=max(silent.values(), default=None),
        silent_holds_all=bool(silent) and is_one_at_a_time,
        slow_holds_all=seen.slow and is_one_at_a_time,
    )
    return waiting.why_it_waits(facts)
