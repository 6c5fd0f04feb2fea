"""Figures and moments as people write them, in the language that is shown: the one home of both."""

import re
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format, get_format, number_format
from django.utils.translation import gettext as _

SOON = 6  # days for which the day of the week says more than the date


def number(count: int) -> str:
    """1,234 in English, and in other languages as they group thousands."""
    return number_format(count, use_l10n=True, force_grouping=True)


def moment(at: datetime, now: datetime | None = None, *, seconds: bool = False) -> str:
    """A moment as people say it: "today 14:05", "tomorrow 14:05", "Thu 26 Nov, 14:05", "3 Mar 2027, 14:05".

    at: aware. now: aware; its time zone is the one that is told, by default now in the current one.
    """
    now = now or timezone.localtime()
    local = at.astimezone(now.tzinfo)
    told = {"time": _time(local, seconds)}
    days = (local.date() - now.date()).days
    if days == 0:
        return _("today %(time)s") % told
    if days == 1:
        return _("tomorrow %(time)s") % told
    if days == -1:
        return _("yesterday %(time)s") % told
    is_this_year = local.year == now.year
    told["date"] = date_format(local, "MONTH_DAY_FORMAT" if is_this_year else "DATE_FORMAT")
    if 0 < days <= SOON:
        told["weekday"] = date_format(local, "D")
        return _("%(weekday)s %(date)s, %(time)s") % told
    return _("%(date)s, %(time)s") % told


def upcoming(at: datetime | None, now: datetime) -> str:
    """The same of a moment at which something happens by itself; "within a minute" once it is due."""
    return moment(at, now) if at and at > now else _("within a minute")


def _time(local: datetime, seconds: bool) -> str:
    """By the language's format of a time; with seconds, where it has minutes to put them behind."""
    form = get_format("TIME_FORMAT")
    return date_format(local, re.sub(r"(\W)i", r"\1i\1s", form) if seconds else form)
