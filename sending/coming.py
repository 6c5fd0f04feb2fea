"""What accounts can hand over now, and when how much more comes free within the next 24 hours."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.clock import database_now
from accounts.models import SmtpAccount
from accounts.words import moment, number
from sending import capacity
from sending.columns import Column, lay_out

HOURS = range(25)


@dataclass(frozen=True)
class Row:
    """An account: what of its day is used, what all its limits leave now, what holds it until when."""

    account: SmtpAccount
    used: int
    limit: int
    left: int
    held_by: str
    held_until: datetime | None


@dataclass(frozen=True)
class Coming:
    """now: mails that may go out; by_then: in 24 hours, if none goes out before; limit: of a day.

    columns, of the hours ahead: each with what it could take and, of that, what came free in it. waiting:
    accounts that are enabled and paused until mended; they count for nothing.
    """

    rows: Sequence[Row]
    columns: Sequence[Column]
    now: int
    by_then: int
    limit: int
    waiting: int
    next_at: datetime | None

    @property
    def freed(self) -> int:
        """How many more there will be."""
        return max(0, self.by_then - self.now)


def of(accounts: Iterable[SmtpAccount]) -> Coming:
    """What these accounts have left; those that are disabled have nothing. Three statements."""
    enabled = [account for account in accounts if account.is_enabled]
    able = [account for account in enabled if not account.is_paused or account.paused_until]
    known = capacity.look(account.pk for account in enabled)
    left = capacity.ahead((account.pk for account in able), HOURS)
    limit = sum(known[account.pk].limit for account in able)
    now = timezone.localtime(database_now())
    figures = [sum(_left(one, left[one.pk], hour, now) for one in able) for hour in HOURS]
    new = [0, *(max(0, later - before) for before, later in pairwise(figures))]
    starts = [now + timedelta(hours=hour) for hour in HOURS]
    return Coming(
        rows=[_row(account, known[account.pk]) for account in enabled],
        columns=lay_out(
            (
                (at, _label(at, value, more), value, more)
                for at, value, more in zip(starts, figures, new, strict=True)
            ),
            most=limit,
        ),
        now=figures[0],
        by_then=figures[-1],
        limit=limit,
        waiting=len(enabled) - len(able),
        next_at=next((at for at, more in zip(starts, new, strict=True) if more), None),
    )


def _left(account: SmtpAccount, left: Sequence[int], hour: int, now: datetime) -> int:
    """Nothing while it rests."""
    rests = account.is_paused and account.paused_until and account.paused_until > now + timedelta(hours=hour)
    return 0 if rests else left[hour]


def _row(account: SmtpAccount, known: capacity.Capacity) -> Row:
    return Row(account, known.used, known.limit, known.left, known.held_by, known.held_until)


def _label(at: datetime, value: int, new: int) -> str:
    told = {"at": moment(at), "count": number(value), "new": number(new)}
    return _("%(at)s: %(count)s, %(new)s of them new") % told if new else _("%(at)s: %(count)s") % told
