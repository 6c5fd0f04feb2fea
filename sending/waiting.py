"""Why mail waits, in one sentence that a person can act on. Pure: no database, no clock of its own."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# What people call a limit that holds an account back, by its name in sending.capacity.
LIMITS = {
    "24 h": "24 h limit",
    "day": "limit of the day",
    "warm-up": "warm-up limit",
    "hour": "hourly limit",
    "minute": "limit of the minute",
    "spacing": "spacing",
}
REASON_LENGTH = 120  # of a pause reason, where it stands among others


@dataclass(frozen=True)
class Account:
    """An account that the waiting mail may use. state: ready, full, spaced, paused or disabled.

    held_by: the limit that holds it, as sending.capacity names it.
    """

    state: str
    frees_at: datetime | None = None
    paused_until: datetime | None = None
    pause_reason: str = ""
    held_by: str = ""


@dataclass(frozen=True)
class Campaign:
    """A campaign whose mail waits. status: sending, paused or cancelled."""

    status: str = "sending"
    scheduled_at: datetime | None = None
    pause_reason: str = ""

    def may_send(self, now: datetime) -> bool:
        """Whether neither a person nor the calendar holds it back."""
        return self.status == "sending" and (self.scheduled_at is None or self.scheduled_at <= now)


@dataclass(frozen=True)
class Facts:
    """What is known about mail that waits. `now` carries the time zone in which times are told."""

    now: datetime
    alive: bool
    stuck: bool = False
    pending: int = 0
    retry: int = 0
    uncertain: int = 0
    # Of the uncertain ones, those that nobody has to see to; and when that is for the first of them.
    looked_for: int = 0
    look_at: datetime | None = None
    resent: int = 0
    resend_at: datetime | None = None
    retry_at: datetime | None = None
    accounts: Sequence[Account] = ()
    campaigns: Sequence[Campaign] = ()
    earlier: int = 0
    batch_size: int = 10
    batch_interval: float = 30


def why_it_waits(facts: Facts) -> str:
    """The sentence, e.g. "240 waiting: 2 accounts have used their 24 h limit (next frees at 14:05)".

    Empty when nothing waits.
    """
    parts = []
    if waiting := facts.pending + facts.retry:
        parts.append(f"{waiting:,} waiting: {', '.join(_reasons(facts))}")
    if facts.uncertain:
        parts.append(f"{facts.uncertain:,} uncertain: {', '.join(_uncertain(facts))}")
    return "; ".join(parts)


def _uncertain(facts: Facts) -> list[str]:
    held = facts.uncertain - facts.looked_for - facts.resent
    kinds = []
    if facts.looked_for:
        when = _from_now(facts.look_at, facts.now)
        kinds.append((facts.looked_for, f"looked for in the Sent folder (next look {when})"))
    if facts.resent:
        kinds.append((facts.resent, f"sent again {_from_now(facts.resend_at, facts.now)}"))
    if held > 0:
        kinds.append((held, "may have arrived, so a person decides (resolve_uncertain)"))
    return [kinds[0][1]] if len(kinds) == 1 else [f"{count:,} {what}" for count, what in kinds]


def _from_now(moment: datetime | None, now: datetime) -> str:
    return clock(moment, now) if moment and moment > now else "within a minute"


def _reasons(facts: Facts) -> list[str]:
    reasons = [] if facts.alive else ["sending is not running: start qcluster"]
    if facts.alive and facts.stuck:
        reasons.append("sending is stuck, see the log of qcluster")
    reasons += _held_campaigns(facts)
    if any(campaign.may_send(facts.now) for campaign in facts.campaigns):
        blocked = _blocked_accounts(facts)
        reasons += blocked
        reasons += _turn(facts, bool(blocked)) if facts.pending else []
    return reasons + _retries(facts)


def _held_campaigns(facts: Facts) -> list[str]:
    paused = [c for c in facts.campaigns if c.status == "paused"]
    cancelled = [c for c in facts.campaigns if c.status == "cancelled"]
    later = [c for c in facts.campaigns if c.status == "sending" and not c.may_send(facts.now)]
    reasons = []
    if paused:
        why = _listed(c.pause_reason for c in paused) if len(facts.campaigns) == 1 else ""
        reasons.append(f"{_campaigns(facts, paused, 'is', 'are')} paused{f' ({why})' if why else ''}")
    if cancelled:
        reasons.append(f"{_campaigns(facts, cancelled, 'is', 'are')} cancelled")
    if later:
        start = min(c.scheduled_at for c in later if c.scheduled_at)
        first = "the first " if len(later) > 1 else ""
        verb = _campaigns(facts, later, "starts", "start later,")
        reasons.append(f"{verb} {first}{clock(start, facts.now)}")
    return reasons


def _campaigns(facts: Facts, some: Sequence[Campaign], singular: str, plural: str) -> str:
    if len(facts.campaigns) == 1:
        return f"the campaign {singular}"
    return f"{_count(len(some), 'campaign')} {singular if len(some) == 1 else plural}"


def _blocked_accounts(facts: Facts) -> list[str]:
    if not facts.accounts:
        return ["there is no account yet: add one"]
    enabled = [a for a in facts.accounts if a.state != "disabled"]
    if not enabled:
        return ["no account is enabled"]
    paused = [a for a in enabled if a.state == "paused"]
    held = [
        _held([a for a in enabled if a.state in ("full", "spaced") and a.held_by == limit], limit, facts.now)
        for limit in LIMITS
    ]
    return [*filter(None, held), *_paused(paused, facts.now)]


def _held(held: Sequence[Account], limit: str, now: datetime) -> str:
    if not held:
        return ""
    frees = [a.frees_at for a in held if a.frees_at]
    when = clock(min(frees), now) if frees else ""
    if limit == "spacing":
        verb = "waits for its" if len(held) == 1 else "wait for their"
        return f"{_count(len(held), 'account')} {verb} spacing{f' (next sends {when})' if when else ''}"
    verb = "has used its" if len(held) == 1 else "have used their"
    return f"{_count(len(held), 'account')} {verb} {LIMITS[limit]}{f' (next frees {when})' if when else ''}"


def _paused(paused: Sequence[Account], now: datetime) -> list[str]:
    if not paused:
        return []
    ends = [a.paused_until for a in paused if a.paused_until]
    until = f"next goes on {clock(min(ends), now)}" if ends else ""
    about = "; ".join(filter(None, [_listed(a.pause_reason for a in paused), until]))
    verb = "is" if len(paused) == 1 else "are"
    return [f"{_count(len(paused), 'account')} {verb} paused{f' ({about})' if about else ''}"]


def _turn(facts: Facts, some_are_blocked: bool) -> list[str]:
    """What happens with the pending mail on the accounts that are ready."""
    ready = sum(account.state == "ready" for account in facts.accounts)
    if not ready or not facts.alive or facts.stuck:
        return []
    if facts.earlier:
        verb = "goes" if facts.earlier == 1 else "go"
        return [f"{_count(facts.earlier, 'campaign')} queued earlier {verb} first"]
    if some_are_blocked:
        return [f"{_count(ready, 'account')} {'goes' if ready == 1 else 'go'} on"]
    return [f"batches of up to {facts.batch_size} go out every {facts.batch_interval:g} s"]


def _retries(facts: Facts) -> list[str]:
    if not facts.retry:
        return []
    verb = "waits" if facts.retry == 1 else "wait"
    if facts.retry_at is None or facts.retry_at <= facts.now:
        return [f"{facts.retry:,} {verb} for a retry that is due"]
    return [f"{facts.retry:,} {verb} for a retry {clock(facts.retry_at, facts.now)}"]


def clock(moment: datetime, now: datetime) -> str:
    """A moment as people say it in now's time zone: "at 14:05", "tomorrow at 14:05"."""
    local = moment.astimezone(now.tzinfo)
    days = (local.date() - now.date()) // timedelta(days=1)
    if days == 0:
        return f"at {local:%H:%M}"
    if days == 1:
        return f"tomorrow at {local:%H:%M}"
    return f"on {local.day} {local:%b %Y} at {local:%H:%M}"


def _listed(reasons: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(_short(reason) for reason in reasons if reason))


def _short(reason: str) -> str:
    """The plain words of a reason, without the server's reply in brackets behind them."""
    text = " ".join(reason.split())
    text = (re.sub(r"\s*\([^()]*\)$", "", text) or text).rstrip(".")
    return text if len(text) <= REASON_LENGTH else f"{text[: REASON_LENGTH - 3].rstrip()}..."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
