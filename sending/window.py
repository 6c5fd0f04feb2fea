"""The sending window: on which days and between which times mail goes out. Pure: no database, no clock.

Times are those of the site (TIME_ZONE). A batch that has begun is sent to its end; a test mail, which a
person asks for, goes out at any time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.words import moment

MIDNIGHT = time()
EVERY_DAY = frozenset(range(7))
MONDAY_TO_FRIDAY = frozenset(range(5))
DAY = 24 * 60  # minutes


@dataclass(frozen=True)
class Window:
    """opens, closes: times of day; a midnight in closes is the one at the day's end. days: Monday is 0."""

    opens: time = MIDNIGHT
    closes: time = MIDNIGHT
    days: frozenset[int] = EVERY_DAY

    @property
    def is_always_open(self) -> bool:
        """Whether there is no such window."""
        return (self.opens, self.closes, self.days) == (MIDNIGHT, MIDNIGHT, EVERY_DAY)

    @property
    def minutes_a_day(self) -> int:
        """For which it is open, on a day of usual length on which it is."""
        closes = 60 * self.closes.hour + self.closes.minute
        return (closes or DAY) - 60 * self.opens.hour - self.opens.minute

    def opens_at(self, now: datetime) -> datetime | None:
        """When it opens next, in the time zone of `now`; None where it is open."""
        if self.is_always_open:
            return None
        for opens, closes in self._spans(now):
            if now < closes:
                return opens.astimezone(now.tzinfo) if now < opens else None
        raise AssertionError("it is open on no day")

    def minutes(self, start: datetime, end: datetime) -> float:
        """For how many of the minutes from start to end it is open."""
        if self.is_always_open:
            return (end - start) / timedelta(minutes=1)
        open_for = timedelta()
        for opens, closes in self._spans(start):
            if opens >= end:
                break
            open_for += max(timedelta(), min(closes, end) - max(opens, start))
        return open_for / timedelta(minutes=1)

    def _spans(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """When it opens and closes, in UTC, on the days from this time on: eight days have one at least."""
        first = timezone.localdate(since)
        for day in (first + timedelta(days=n) for n in range(8)):
            if day.weekday() in self.days:
                ends = day + timedelta(days=1) if self.closes == MIDNIGHT else day
                yield _at(day, self.opens), _at(ends, self.closes)


ALWAYS = Window()


def from_when(at: datetime, now: datetime, window: Window) -> str:
    """The moment in words, and until when the window is closed then: something begins at `at`, by itself.

    at, now: as accounts.words.moment() takes them.
    """
    told = {"at": moment(at, now)}
    if not (opens_at := window.opens_at(at)):
        return told["at"]
    told["opens"] = moment(opens_at, now)
    return _("%(at)s, with the sending window closed until %(opens)s") % told


def _at(day: date, of_day: time) -> datetime:
    """This time of the site on this day; in UTC, since the hours of a wall clock differ in length."""
    return timezone.make_aware(datetime.combine(day, of_day)).astimezone(UTC)
