"""Why mail waits, in one sentence that a person can act on. Pure: no database, no clock of its own."""

import re
from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.words import moment, number, upcoming
from sending.limit_words import HELD, LIMITS
from sending.waiting_facts import Account, Campaign, Facts
from sending.window import from_when

REASON_LENGTH = 120  # of a pause reason, where it stands among others


def why_it_waits(facts: Facts) -> str:
    """The sentence, e.g. "240 waiting: 2 accounts have used their 24 h limit (next frees today 14:05)".

    Empty when nothing waits.
    """
    parts = []
    if waiting := facts.pending + facts.retry:
        told = {"count": number(waiting), "reasons": ", ".join(_reasons(facts))}
        parts.append(
            ngettext("%(count)s waiting: %(reasons)s", "%(count)s waiting: %(reasons)s", waiting) % told
        )
    elif facts.sending and (trouble := _trouble(facts)):
        told = {"count": number(facts.sending), "reasons": ", ".join(trouble)}
        parts.append(
            ngettext("%(count)s being sent: %(reasons)s", "%(count)s being sent: %(reasons)s", facts.sending)
            % told
        )
    if facts.uncertain:
        told = {"count": number(facts.uncertain), "kinds": ", ".join(_uncertain(facts))}
        parts.append(
            ngettext("%(count)s uncertain: %(kinds)s", "%(count)s uncertain: %(kinds)s", facts.uncertain)
            % told
        )
    return "; ".join(parts)


def _uncertain(facts: Facts) -> list[str]:
    held = facts.uncertain - facts.looked_for - facts.resent
    kinds = []
    if facts.looked_for:
        told = {"at": upcoming(facts.look_at, facts.now)}
        kinds.append((facts.looked_for, _("looked for in the Sent folder (next look %(at)s)") % told))
    if facts.resent:
        kinds.append((facts.resent, _("sent again %(at)s") % {"at": upcoming(facts.resend_at, facts.now)}))
    if held > 0:
        kinds.append((held, _("may have arrived, so a person decides (see Uncertain emails)")))
    if len(kinds) == 1:
        return [kinds[0][1]]
    # Translators: "3 sent again today 14:05": how many, then what becomes of them.
    return [_("%(count)s %(what)s") % {"count": number(count), "what": what} for count, what in kinds]


def _reasons(facts: Facts) -> list[str]:
    reasons = _trouble(facts) + _held_campaigns(facts)
    if any(campaign.may_send(facts.now) for campaign in facts.campaigns):
        blocked = _blocked_accounts(facts)
        reasons += blocked
        if facts.window_opens_at:
            told = {"at": moment(facts.window_opens_at, facts.now)}
            reasons.append(_("sending window opens %(at)s") % told)
        reasons += _turn(facts, bool(blocked)) if facts.pending else []
    return reasons + _retries(facts)


def _trouble(facts: Facts) -> list[str]:
    if facts.failing:
        return [_("sending fails: the log on the server says more")]
    if not facts.alive:
        return [_("sending is not running: it has to be started on the server")]
    if facts.stuck:
        return [_("sending is stuck: the log on the server says more")]
    return _silent(facts)


def _silent(facts: Facts) -> list[str]:
    if not facts.silent:
        return []
    text = ngettext(
        "%(count)s batch is silent (if its worker died, it is settled %(at)s)",
        "%(count)s batches are silent (if their workers died, they are settled %(at)s)",
        facts.silent,
    )
    return [text % {"count": number(facts.silent), "at": upcoming(facts.silent_until, facts.now)}]


def _held_campaigns(facts: Facts) -> list[str]:
    paused = [c for c in facts.campaigns if c.status == "paused"]
    cancelled = [c for c in facts.campaigns if c.status == "cancelled"]
    later = [
        c.scheduled_at
        for c in facts.campaigns
        if c.status == "sending" and c.scheduled_at and not c.may_send(facts.now)
    ]
    if len(facts.campaigns) == 1:
        return _held_campaign(facts.campaigns[0], bool(later), facts)
    reasons = []
    if count := len(paused):
        text = ngettext("%(count)s campaign is paused", "%(count)s campaigns are paused", count)
        reasons.append(text % {"count": number(count)})
    if count := len(cancelled):
        text = ngettext("%(count)s campaign is cancelled", "%(count)s campaigns are cancelled", count)
        reasons.append(text % {"count": number(count)})
    if count := len(later):
        text = ngettext(
            "%(count)s campaign starts %(at)s", "%(count)s campaigns start later, the first %(at)s", count
        )
        reasons.append(text % {"count": number(count), "at": _from(min(later), facts)})
    return reasons


def _held_campaign(campaign: Campaign, is_later: bool, facts: Facts) -> list[str]:
    if campaign.status == "paused":
        why = _short(campaign.pause_reason)
        return [_("the campaign is paused (%(why)s)") % {"why": why} if why else _("the campaign is paused")]
    if campaign.status == "cancelled":
        return [_("the campaign is cancelled")]
    if is_later and campaign.scheduled_at:
        return [_("the campaign starts %(at)s") % {"at": _from(campaign.scheduled_at, facts)}]
    return []


def _from(at: datetime, facts: Facts) -> str:
    """The moment, and until when the sending window is closed then, where that is not told anyway."""
    may_send = any(campaign.may_send(facts.now) for campaign in facts.campaigns)
    if may_send and facts.window.opens_at(at) == facts.window_opens_at:
        return moment(at, facts.now)
    return from_when(at, facts.now, facts.window)


def _blocked_accounts(facts: Facts) -> list[str]:
    if not facts.accounts:
        return [_("there is no account yet: add one")]
    enabled = [a for a in facts.accounts if a.state != "disabled"]
    if not enabled:
        return [_("no account is enabled")]
    paused = [a for a in enabled if a.state == "paused"]
    held = [
        _held([a for a in enabled if a.state in ("full", "spaced") and a.held_by == limit], limit, facts)
        for limit in LIMITS
    ]
    return [*filter(None, held), *_paused(paused, facts), *_without_account(facts)]


def _without_account(facts: Facts) -> list[str]:
    """Of campaigns whose own accounts are all disabled, while others have some."""
    count = sum(c.may_send(facts.now) and not c.has_account for c in facts.campaigns)
    if not count:
        return []
    text = ngettext(
        "%(count)s campaign has no account that is enabled",
        "%(count)s campaigns have no account that is enabled",
        count,
    )
    return [text % {"count": number(count)}]


def _held(held: Sequence[Account], limit: str, facts: Facts) -> str:
    if not held:
        return ""
    said = str(HELD[limit] % {"n": len(held), "count": number(len(held))})
    frees = [a.frees_at for a in held if a.frees_at]
    if not frees:
        return said
    told = {"accounts": said, "at": _from(min(frees), facts)}
    if limit == "spacing":
        return _("%(accounts)s (next sends %(at)s)") % told
    return _("%(accounts)s (next frees %(at)s)") % told


def _paused(paused: Sequence[Account], facts: Facts) -> list[str]:
    """Each reason with how many accounts it holds, so that an end is seen to be that of its own."""
    by_reason: dict[str, list[Account]] = {}
    for account in paused:
        by_reason.setdefault(_short(account.pause_reason), []).append(account)
    return [_paused_for(reason, accounts, facts) for reason, accounts in by_reason.items()]


def _paused_for(reason: str, accounts: Sequence[Account], facts: Facts) -> str:
    about = [reason] if reason else []
    if ends := [a.goes_on_at for a in accounts if a.goes_on_at]:
        words = _("goes on %(at)s") if len(accounts) == 1 else _("next goes on %(at)s")
        about.append(words % {"at": _from(min(ends), facts)})
    told = {"count": number(len(accounts)), "about": "; ".join(about)}
    if not about:
        return ngettext("%(count)s account is paused", "%(count)s accounts are paused", len(accounts)) % told
    text = ngettext(
        "%(count)s account is paused (%(about)s)", "%(count)s accounts are paused (%(about)s)", len(accounts)
    )
    return text % told


def _turn(facts: Facts, some_are_blocked: bool) -> list[str]:
    """What happens with the pending mail on the accounts that are ready."""
    ready = sum(account.state == "ready" and account.takes_pending for account in facts.accounts)
    if not ready or not facts.alive or facts.stuck or facts.window_opens_at or facts.silent_holds_all:
        return []
    if facts.slow_holds_all:
        return [_("the batch in hand takes long: its server is slow, or its worker died")]
    if earlier := facts.earlier:
        text = ngettext(
            "%(count)s campaign queued earlier goes first",
            "%(count)s campaigns queued earlier go first",
            earlier,
        )
        return [text % {"count": number(earlier)}]
    if some_are_blocked:
        text = ngettext("%(count)s account goes on", "%(count)s accounts go on", ready)
        return [text % {"count": number(ready)}]
    told = {"size": number(facts.batch_size), "seconds": f"{facts.batch_interval:g}"}
    return [_("batches of up to %(size)s go out every %(seconds)s s") % told]


def _retries(facts: Facts) -> list[str]:
    if not facts.retry:
        return []
    told = {"count": number(facts.retry)}
    if facts.retry_at is None or facts.retry_at <= facts.now:
        return [
            ngettext(
                "%(count)s waits for a retry that is due",
                "%(count)s wait for a retry that is due",
                facts.retry,
            )
            % told
        ]
    told["at"] = _from(facts.retry_at, facts)
    text = ngettext("%(count)s waits for a retry %(at)s", "%(count)s wait for a retry %(at)s", facts.retry)
    return [text % told]


def _short(reason: str) -> str:
    """The plain words of a reason, without the server's reply in brackets behind them."""
    text = " ".join(reason.split())
    # A reply may have brackets of its own, and its end may be cut off.
    text = (re.sub(r"\s*\((\d{3} .*|[^()]*\))$", "", text) or text).rstrip(".")
    if len(text) <= REASON_LENGTH:
        return text
    whole = re.match(rf"(.{{20,{REASON_LENGTH}}})[.] ", text)  # what is wrong; its cure may have no room
    return whole[1] if whole else f"{text[: REASON_LENGTH - 3].rstrip()}..."
