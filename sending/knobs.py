"""What the knobs of the pacing lead to, in figures and in sentences. Pure: no database, no clock.

It is asked while somebody turns them, so they need not be stored: a Pacing that was only made will do.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from accounts.words import number
from sending import forecast
from sending.durations import in_words
from sending.models import Pacing

# Greylisting refuses whoever is new for a while: Postgrey, which many run, for 300 s (its --delay).
GREYLISTING = 300


@dataclass(frozen=True)
class Facts:
    """What the knobs work on.

    seconds: of an attempt, as measured lately; limit: mails that the accounts may take in a day together;
    account_rate: mails a minute that their spacing and short limits let out together; accounts: how many
    send; budget: seconds after which a batch ends, whatever is left of it.
    """

    seconds: float
    limit: int
    account_rate: float
    accounts: int
    budget: float


@dataclass(frozen=True)
class Hint:
    """tone: as of a chip; lead: what is so; text: what that means, and what to do about it."""

    tone: str
    lead: str
    text: str


@dataclass(frozen=True)
class Effect:
    """per_minute: mails, by knobs and accounts together; per_day: of at most `limit`; batch: seconds that
    one takes; used_up: seconds after which a day's mails are gone, None where the pace never gets there;
    patience: seconds for which a mail that is refused for the moment is tried again."""

    per_minute: float
    per_day: int
    limit: int
    batch: float
    used_up: float | None
    patience: float
    hints: Sequence[Hint]


def effect(pacing: Pacing, facts: Facts) -> Effect:
    """What these knobs lead to, and which of them hurt."""
    rate = min(rate_of(pacing, facts), facts.account_rate)
    a_day = rate * pacing.window.minutes_a_day
    return Effect(
        per_minute=rate,
        per_day=int(min(facts.limit, a_day)),
        limit=facts.limit,
        batch=_at_work(pacing, facts),
        used_up=60 * facts.limit / rate if facts.limit < a_day else None,
        patience=pacing.max_retries * pacing.retry_interval,
        hints=list(_hints(pacing, facts)),
    )


def rate_of(pacing: Pacing, facts: Facts) -> float:
    """Mails a minute that the knobs alone let out."""
    return forecast.pace(
        batch_size=pacing.batch_size,
        batch_interval=pacing.batch_interval,
        delay=_pause(pacing),
        seconds=facts.seconds,
        lanes=max(1, facts.accounts) if pacing.scope == Pacing.Scope.ACCOUNT else 1,
    )


def _pause(pacing: Pacing) -> float:
    return pacing.delay + pacing.jitter / 2  # on the average


def _at_work(pacing: Pacing, facts: Facts) -> float:
    return pacing.batch_size * (_pause(pacing) + facts.seconds)


def _hints(pacing: Pacing, facts: Facts) -> Iterator[Hint]:
    if not facts.accounts:
        yield Hint(
            "bad", _("No account can send."), _("Add one, enable one, or mend one that waits for a person.")
        )
    yield from _about_batches(pacing, facts)
    yield from _about_accounts(pacing, facts)
    yield from _about_retries(pacing)


def _about_batches(pacing: Pacing, facts: Facts) -> Iterator[Hint]:
    at_work, each = _at_work(pacing, facts), _pause(pacing) + facts.seconds
    if at_work > facts.budget:
        fits = max(1, math.floor(facts.budget / each))
        words = _(
            "It is cut off after %(budget)s, and about %(fits)s mails fit in: make batches no larger, or the "
            "delay shorter."
        )
        told = {"budget": in_words(facts.budget), "fits": number(fits)}
        yield Hint("warning", _("A batch does not end in time."), words % told)
    elif at_work > pacing.batch_interval:
        yield Hint("warning", _("The batch interval has no effect."), _late(pacing, at_work, each))
    if pacing.batch_size > 1 and pacing.delay + pacing.jitter == 0:
        yield Hint(
            "warning",
            _("There is no pause between two mails."),
            _("Providers slow accounts down, or block them, that send in bursts: a second or two are safer."),
        )


def _late(pacing: Pacing, at_work: float, each: float) -> str:
    words = _(
        "A batch takes about %(batch)s, longer than the %(interval)s from one start to the next, so each "
        "follows right after the one before."
    ) % {"batch": in_words(at_work), "interval": in_words(pacing.batch_interval)}
    if fits := math.floor(pacing.batch_interval / each):
        cure = _("Make batches of at most %(fits)s mails, the delay shorter, or the interval longer.")
        return f"{words} {cure % {'fits': number(fits)}}"
    return words + " " + _("Make the delay shorter, or the interval longer.")


def _about_accounts(pacing: Pacing, facts: Facts) -> Iterator[Hint]:
    rate = rate_of(pacing, facts)
    if facts.accounts and rate > facts.account_rate:
        words = _(
            "Their own spacing and limits of the minute and the hour let out %(rate)s a minute together; the "
            "knobs would allow %(knobs)s."
        )
        told = {"rate": figure(facts.account_rate), "knobs": figure(rate)}
        yield Hint("", _("The accounts are slower than this pace."), words % told)
    per_day = int(min(rate, facts.account_rate) * pacing.window.minutes_a_day)
    if per_day < facts.limit:
        words = _("At this pace %(most)s mails go out in a day, of the %(limit)s that the accounts may take.")
        told = {"most": number(per_day), "limit": number(facts.limit)}
        yield Hint("", _("The accounts could take more."), words % told)


def _about_retries(pacing: Pacing) -> Iterator[Hint]:
    patience = pacing.max_retries * pacing.retry_interval
    if pacing.max_retries == 0:
        yield Hint(
            "warning",
            _("Nothing is tried again."),
            _("Many servers refuse a first mail for some minutes (greylisting): such mail fails for good."),
        )
    elif patience < GREYLISTING:
        words = _(
            "They end after %(patience)s, and many servers refuse a first mail for five minutes "
            "(greylisting): such mail fails for good. Make the retry interval longer, or the retries more."
        )
        yield Hint("warning", _("Retries end too soon."), words % {"patience": in_words(patience)})


def figure(value: float) -> str:
    """A rate as people write it: 20, 7.5, 0.25."""
    return number(round(value)) if value >= 10 else f"{round(value, 2):g}"
