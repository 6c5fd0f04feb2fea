"""Whether a ledger keeps its account's limits: worked out in plain Python, apart from sending.capacity."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.limits import Window
from accounts.models import SmtpAccount

DAY, HOUR, MINUTE = timedelta(hours=24), timedelta(hours=1), timedelta(minutes=1)


def broken_windows(account: SmtpAccount, moments: Sequence[datetime]) -> list[str]:
    """Every window with more mails than the account's limits allow, in words; moments: of its mails."""
    moments = sorted(moment.astimezone(UTC) for moment in moments)
    broken = _in_calendar(account, moments)
    if account.limit_window == Window.ROLLING:
        broken = _rolling("24 h", moments, DAY, lambda moment: _cap(account, moment))
    for name, length, limit in (
        ("hour", HOUR, account.hourly_limit),
        ("minute", MINUTE, account.minute_limit),
    ):
        if limit is not None:
            broken += _rolling(name, moments, length, lambda _, limit=limit: limit)
    return [f"{account}: {one}" for one in broken]


def _rolling(
    name: str, moments: Sequence[datetime], length: timedelta, limit: Callable[[datetime], int]
) -> list[str]:
    """A window that ends with each mail: if any window is above its limit, one of these is."""
    broken = []
    for number, moment in enumerate(moments, start=1):
        count = number - bisect_right(moments, moment - length)
        if count > limit(moment):
            broken.append(f"{count} in the {name} before {moment}, its limit is {limit(moment)}")
    return broken


def _in_calendar(account: SmtpAccount, moments: Sequence[datetime]) -> list[str]:
    zone = ZoneInfo(account.time_zone)
    counts = Counter(moment.astimezone(zone).date() for moment in moments)
    last = {moment.astimezone(zone).date(): moment for moment in moments}
    return [
        f"{count} on {day}, its limit is {_cap(account, last[day])}"
        for day, count in counts.items()
        if account.limit_window == Window.CALENDAR and count > _cap(account, last[day])
    ]


def _cap(account: SmtpAccount, moment: datetime) -> int:
    if account.warm_up_start is None or account.warm_up_since is None:
        return account.daily_limit
    zone = ZoneInfo(account.time_zone)
    if account.limit_window == Window.CALENDAR:
        days = (moment.astimezone(zone).date() - account.warm_up_since.astimezone(zone).date()).days
    else:
        days = (moment - account.warm_up_since) // DAY
    return min(account.daily_limit, account.warm_up_start + account.warm_up_step * max(0, days))
