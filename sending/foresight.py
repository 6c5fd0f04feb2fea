"""What would come of queueing more mails now: how long they take, day by day, and what goes before them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.words import number
from sending import forecast, last_hours, outlook
from sending.outlook import WAITING
from sending.status import queue_status


@dataclass(frozen=True)
class Day:
    """Mails of the campaign, and of all others, that go out on a day."""

    date: date
    own: int
    others: int

    @property
    def total(self) -> int:
        """Mails of that day."""
        return self.own + self.others


@dataclass(frozen=True)
class Foresight:
    """count: the campaign's mails, over so many accounts. ahead: campaigns that go before it. finish: None
    where no end is in sight. days: up to its last. starts_at: nothing of it goes out before."""

    now: datetime
    count: int
    accounts: int
    ahead: int
    alive: bool
    finish: datetime | None
    days: Sequence[Day]
    starts_at: datetime | None = None

    @property
    def most_a_day(self) -> int:
        """Mails of the fullest day."""
        return max((day.total for day in self.days), default=0)

    @property
    def sentence(self) -> str:
        """“1,234 mails over 3 accounts: finished Thursday about 14:20; 2 campaigns are ahead”."""
        mails = ngettext("%(count)s mail", "%(count)s mails", self.count) % {"count": number(self.count)}
        over = ngettext("%(count)s account", "%(count)s accounts", self.accounts) % {
            "count": number(self.accounts)
        }
        told = _("%(mails)s over %(accounts)s: %(end)s") % {
            "mails": mails,
            "accounts": over,
            "end": self._end(),
        }
        if self.ahead:
            ahead = ngettext("%(count)s campaign is ahead", "%(count)s campaigns are ahead", self.ahead)
            told += "; " + ahead % {"count": number(self.ahead)}
        return told

    def _end(self) -> str:
        if not self.accounts:
            return _("none of them can send now")
        if self.finish:
            return _("finished %(day)s about %(time)s") % {
                "day": day_in_words(self.finish.date(), self.now.date()),
                "time": date_format(self.finish, "H:i"),
            }
        if self.days:
            last = day_in_words(self.days[-1].date, self.now.date())
            return _("not finished before %s, which is as far as can be foreseen") % last
        return _("no end can be foreseen")


def look(campaign_id: int, more: int, now: datetime) -> Foresight:
    """What comes of queueing so many more mails of a campaign now, in the time zone of `now`.

    The number of queries depends neither on campaigns nor on accounts.
    """
    status = queue_status()
    entry = next(one for one in status["campaigns"] if one["id"] == campaign_id)
    before, behind = _around(status["campaigns"], entry)
    waiting = [outlook.as_waiting(one) for one in before]
    waiting += [outlook.as_waiting(entry, more), *(outlook.as_waiting(one) for one in behind)]
    found = outlook.foresee(status, waiting, last_hours.rates().values(), now)
    finish = found.finish.get(campaign_id)
    usable = {account["id"] for account in status["accounts"] if outlook.may_go_on(account)}
    return Foresight(
        now=now,
        count=sum(entry[state] for state in WAITING) + more,
        accounts=len(usable & set(entry["account_ids"])),
        ahead=sum(any(one[state] for state in WAITING) for one in before),
        alive=status["alive"],
        finish=_rounded(finish) if finish else None,
        days=_days(found, campaign_id),
        starts_at=entry["scheduled_at"] if entry["scheduled_at"] and entry["scheduled_at"] > now else None,
    )


def _around(
    campaigns: list[dict[str, Any]], entry: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Those that are being sent, before and behind this one. One that is not queued yet comes last."""
    place = campaigns.index(entry) if entry["status"] != "draft" else len(campaigns)
    moving = [
        (at, one) for at, one in enumerate(campaigns) if one["status"] == "sending" and one is not entry
    ]
    return [one for at, one in moving if at < place], [one for at, one in moving if at > place]


def _days(found: forecast.Forecast, campaign_id: int) -> list[Day]:
    """From the first day on which anything goes out to the campaign's last, none left out."""
    own, all_of_them = found.days.get(campaign_id, {}), found.per_day
    if not own:
        return []
    first, last = min(all_of_them), max(own)
    span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return [Day(one, own.get(one, 0), all_of_them.get(one, 0) - own.get(one, 0)) for one in span]


def _rounded(moment: datetime) -> datetime:
    """Up to the next five minutes: it is an estimate."""
    over = timedelta(minutes=moment.minute % 5, seconds=moment.second, microseconds=moment.microsecond)
    return moment if not over else moment - over + timedelta(minutes=5)


def day_in_words(day: date, today: date) -> str:
    """ "today", "tomorrow", within a week the weekday, else the date with it."""
    ahead = (day - today).days
    if ahead == 0:
        return _("today")
    if ahead == 1:
        return _("tomorrow")
    return date_format(day, "l" if ahead < 7 else "l j F")
