import time
from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The one clock's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]


# CLOCK_MONOTONIC stands still while Linux is suspended, CLOCK_BOOTTIME does not (clock_gettime(2)).
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady_time() -> float:
    """Seconds since some moment, which nobody sets back; where the OS can, a suspended host's count, too.

    For deadlines in this process alone; whoever keeps one compares it with this clock and no other.
    """
    return time.clock_gettime(_STEADY)
