"""When campaigns will be finished. Pure: no database, no clock of its own.

Time is walked through in steps: of ten minutes, of an hour where it is a matter of days, of six where it
is one of weeks. In each, campaigns take their turn in the order of sending, and take what the pace and
their accounts have left, while the sending window is open; what an account hands over is free again when
its 24 hours or its day are over.
Retries, new campaigns, accounts that get paused on the way and the steps of a warm-up are not foreseen: it
is an estimate.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sending.window import ALWAYS, Window

STEP = timedelta(minutes=10)
# Step by how long it takes: no page waits for the minutes of next week.
STEPS = (
    (STEP, timedelta(days=3)),
    (timedelta(hours=1), timedelta(days=20)),
    (timedelta(hours=6), timedelta.max),
)
MOST_STEPS = 600
WINDOW = timedelta(hours=24)
USUAL_SECONDS = 0.5  # of an attempt, where none was measured


@dataclass(frozen=True)
class Account:
    """left: mails of its day that it may take at `now`; freed: (when, how many) of them come free.

    usable_from: the end of its pause; None for one that waits for a person. day_ends: for a limit of the
    calendar day, when that ends; without it the limit is of rolling 24 hours. per_minute: what spacing
    and shorter limits let out.
    """

    id: int
    left: int
    usable_from: datetime | None
    freed: Sequence[tuple[datetime, int]] = ()
    day_ends: datetime | None = None
    per_minute: float = math.inf


@dataclass(frozen=True)
class Campaign:
    """open: mails to be sent; accounts: ids of those it may use; starts_at: nothing goes out before."""

    id: int
    open: int
    accounts: frozenset[int]
    starts_at: datetime | None = None


@dataclass(frozen=True)
class Forecast:
    """finish: of each campaign that ends within sight, by id; days: of each its mails by local date."""

    finish: Mapping[int, datetime]
    days: Mapping[int, Mapping[date, int]]

    @property
    def per_day(self) -> Mapping[date, int]:
        """Mails of all campaigns by local date, in order."""
        total: Counter[date] = Counter()
        for days in self.days.values():
            total.update(days)
        return dict(sorted(total.items()))


def pace(
    *, batch_size: int, batch_interval: float, delay: float, seconds: float = USUAL_SECONDS, lanes: int = 1
) -> float:
    """Mails a minute that the knobs allow (seconds: an attempt takes so long; lanes: batches at once)."""
    at_work = batch_size * (delay + seconds)  # the pause after the last mail is that before the next batch
    return lanes * batch_size * 60 / max(batch_interval, at_work)


def forecast(
    now: datetime,
    campaigns: Sequence[Campaign],
    accounts: Sequence[Account],
    per_minute: float,
    window: Window = ALWAYS,
) -> Forecast:
    """When each campaign's open mails are gone, and how many go out on each day.

    campaigns: in the order of sending. Times come in the time zone of `now`.
    """
    takes = _rough_time(campaigns, accounts, per_minute, window)
    for length in [step for step, most in STEPS if takes <= most]:
        walk = _Walk(now, campaigns, accounts, length, per_minute, window)
        if walk.to_the_end():
            break
    return Forecast(walk.finish, walk.days)


def _rough_time(
    campaigns: Sequence[Campaign], accounts: Sequence[Account], per_minute: float, window: Window
) -> timedelta:
    """The least time that it takes, by the pace and by what all accounts together may send in a day."""
    mails = sum(campaign.open for campaign in campaigns)
    per_day = sum(account.left + sum(count for _, count in account.freed) for account in accounts)
    at_pace = mails / per_minute / window.minutes_a_day if per_minute else 0
    days = max(at_pace, mails / per_day - 1 if per_day else 0) * 7 / len(window.days)
    return timedelta(days=min(days, 10_000))


@dataclass
class _Walk:
    at: datetime
    campaigns: Sequence[Campaign]
    accounts: Sequence[Account]
    length: timedelta
    per_minute: float
    window: Window
    finish: dict[int, datetime] = field(default_factory=dict)
    days: dict[int, Counter[date]] = field(default_factory=lambda: defaultdict(Counter))

    def __post_init__(self) -> None:
        self.open = {campaign.id: campaign.open for campaign in self.campaigns}
        self.left = {account.id: account.left for account in self.accounts}
        self.usable_from = {account.id: account.usable_from for account in self.accounts}
        self.freed = {account.id: sorted(account.freed) for account in self.accounts}
        self.day_ends = {account.id: account.day_ends for account in self.accounts}
        self.owed = 0.0  # a slow pace sends one mail in several steps

    def to_the_end(self) -> bool:
        """Walks until all is sent, or nothing more will happen; False when the steps ran out before."""
        for _ in range(MOST_STEPS):
            if opens_at := self.window.opens_at(self.at):
                self.at = opens_at
            moved = self.step()
            if not any(self.open.values()):
                return True
            following = self.at + self.length if moved else self.next_event()
            if following is None:
                return True
            self.at = following
        return False

    def step(self) -> bool:
        """Sends what this step has room for; returns whether there was something to send."""
        self._free()
        self._measure()
        self.owed += self.per_step
        room = whole = int(self.owed)
        self.room = dict(self.most)
        waits = False
        for campaign in [one for one in self.campaigns if self.open[one.id]]:
            if waits and not room:
                break
            usable = self._usable(campaign)
            waits = waits or bool(usable)
            taken = self._take(usable, min(room, self.open[campaign.id]), whole - room)
            room -= taken
            self.open[campaign.id] -= taken
            if taken:
                self.days[campaign.id][self.at.date()] += taken
            if taken and not self.open[campaign.id]:
                self.finish[campaign.id] = self.at + self.open_for * ((whole - room) / max(self.per_step, 1))
        self.owed -= whole
        return waits

    def next_event(self) -> datetime | None:
        """When something changes by itself after a step in which nothing could be sent."""
        ahead = [freed[0][0] for freed in self.freed.values() if freed]
        ahead += [at for at in self.usable_from.values() if at]
        ahead += [campaign.starts_at for campaign in self.campaigns if campaign.starts_at]
        return min((at.astimezone(self.at.tzinfo) for at in ahead if at > self.at), default=None)

    def _measure(self) -> None:
        """What the pace and each account let out in this step, as far as the window is open in it."""
        minutes = self.window.minutes(self.at, self.at + self.length)
        self.open_for = timedelta(minutes=minutes)
        self.per_step = self.per_minute * minutes
        self.most = {account.id: max(1, account.per_minute * minutes) for account in self.accounts}

    def _free(self) -> None:
        for account, freed in self.freed.items():
            while freed and freed[0][0] <= self.at:
                self.left[account] += freed.pop(0)[1]

    def _usable(self, campaign: Campaign) -> list[int]:
        """Accounts that have room for it now, the one with the most room first."""
        if campaign.starts_at and campaign.starts_at > self.at:
            return []
        fit = [
            account
            for account in campaign.accounts
            if self.left.get(account, 0) > 0
            and (since := self.usable_from[account]) is not None
            and since <= self.at
        ]
        return sorted(fit, key=lambda account: -self.left[account])

    def _take(self, usable: list[int], wanted: int, before: int) -> int:
        """Takes up to so many mails from these accounts, in proportion to what each has left.

        before: mails that went out earlier in this step, and so ahead of these.
        """
        total = sum(self.left[account] for account in usable)
        shares: dict[int, int] = {}
        taken = 0
        for account in usable:
            fair = -(-wanted * self.left[account] // max(total, 1))
            share = int(min(self.left[account], fair, wanted - taken, self.room[account]))
            if share > 0:
                self.left[account] -= share
                self.room[account] -= share
                shares[account] = share
                taken += share
        at_pace = self.at + self.open_for * min(1, (before + taken) / max(self.per_step, 1))
        for account, share in shares.items():
            sent_at = at_pace if self.most[account] == math.inf else self.at + self.length
            self.freed[account].append((self._frees_at(account, sent_at), share))
        return taken

    def _frees_at(self, account: int, sent_at: datetime) -> datetime:
        """When a mail that is sent in this step, by then, stops counting."""
        day_ends = self.day_ends[account]
        if day_ends is None:
            return sent_at + WINDOW
        return day_ends + WINDOW * max(0, (self.at - day_ends) // WINDOW + 1)
