"""Lengths of time as people tell them."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def in_words(seconds: float) -> str:
    """About so long, in the one or two largest units: "45 seconds", "1 hour 2 minutes", "3 days"."""
    if seconds < 90:
        return _count(max(1, round(seconds)), "second") if seconds >= 0.95 else _tenths(seconds)
    minutes = round(seconds / 60)
    if minutes < 60:
        return _count(minutes, "minute")
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return _two(_count(hours, "hour"), _count(minutes, "minute") if minutes and hours < 10 else "")
    days, hours = divmod(round(seconds / 3600), 24)
    return _two(_count(days, "day"), _count(hours, "hour") if hours and days < 4 else "")


def _two(large: str, small: str) -> str:
    return f"{large} {small}".strip()


def _tenths(seconds: float) -> str:
    return _("%(count)s seconds") % {"count": f"{seconds:.1g}"}


def _count(count: int, unit: str) -> str:
    texts = {
        "second": ngettext("%(count)s second", "%(count)s seconds", count),
        "minute": ngettext("%(count)s minute", "%(count)s minutes", count),
        "hour": ngettext("%(count)s hour", "%(count)s hours", count),
        "day": ngettext("%(count)s day", "%(count)s days", count),
    }
    return texts[unit] % {"count": count}
