"""The seeded schedule of faults: which, in which order, and after how many accepted mails each."""

import random
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.chaos.clusters import Clock
from config.chaos.options import Options

SPREAD = 0.85  # of the mails: the last fault strikes when so many were accepted
KILLS = {
    "kill -9: a worker": 35,
    "kill -9: a worker in a conversation": 25,
    "kill -9: who sends, a mail accepted and untold": 10,
    "kill -9: the sentinel": 10,
    "kill -9: the main process": 5,
    "kill -9: the whole cluster": 10,
    "kill -9: the watchdog": 5,
}
RESTARTS = ("PostgreSQL: fast restart", "PostgreSQL: immediate restart", "PostgreSQL: kill -9")
FAILOVER = "PostgreSQL: failover"  # where there is a standby
# The others: how many come with 100 kills, and at least how many.
OTHERS = {
    "SIGTERM to a cluster": (10, 1),
    "SIGSTOP past the lease, SIGCONT": (8, 1),
    "pg_terminate_backend, for seconds": (8, 1),
    "idle in transaction, rows locked": (12, 1),
    "campaign paused and resumed": (10, 1),
    "knobs changed": (15, 1),
    "clusters: another number": (6, 1),
    "clusters: one whose clock is far off": (3, 1),
    "clusters: one whose clock is about to pass midnight": (2, 1),
    "clusters: one whose clock is about to change its hour": (3, 1),
}
CLUSTERS = (1, 2, 4)
# Where hosts believe to be when their clock is wrong.
TIME_ZONES = ("America/New_York", "Pacific/Kiritimati", "Europe/Berlin", "Asia/Kathmandu", "UTC")
CHANGING = ("America/New_York", "Europe/Berlin", "Pacific/Auckland")  # have a summer time
FAR_OFF = (3 * 86_400, -3 * 86_400, 1800, -7200, 45)  # seconds
SHORTLY = timedelta(seconds=10)  # before what is about to happen


@dataclass(frozen=True)
class Fault:
    """after: accepted mails until it strikes. seed: of what it leaves to chance."""

    kind: str
    after: int
    seed: str

    def draw(self) -> random.Random:
        return random.Random(self.seed)  # noqa: S311


def make(options: Options) -> list[Fault]:
    """The schedule; the same for the same options."""
    draw = random.Random(f"{options.seed} schedule")  # noqa: S311
    kinds = _kills(options.kills, draw) + _restarts(options) + _others(options.kills)
    draw.shuffle(kinds)
    step = SPREAD * options.mails / max(1, len(kinds))
    return [
        Fault(kind, int(step * (number + draw.uniform(0.3, 0.7))), f"{options.seed} fault {number}")
        for number, kind in enumerate(kinds)
    ]


def _kills(count: int, draw: random.Random) -> list[str]:
    """Each kind at least once where there are enough, the others by weight."""
    kinds = list(KILLS)[:count] if count < len(KILLS) else list(KILLS)
    return kinds + draw.choices(list(KILLS), list(KILLS.values()), k=count - len(kinds))


def _restarts(options: Options) -> list[str]:
    count = max(2, options.kills // 10)
    restarts = [RESTARTS[(number + 1) % len(RESTARTS)] for number in range(count)]
    return restarts + [FAILOVER] * (count // 2 if options.has_standby else 0)


def _others(kills: int) -> list[str]:
    return [kind for kind, (share, least) in OTHERS.items() for _ in range(max(least, kills * share // 100))]


def far_off(draw: random.Random, now: datetime) -> Clock:
    """A clock that is days, minutes or seconds off."""
    return Clock(draw.choice(FAR_OFF), draw.choice(TIME_ZONES))


def before_midnight(draw: random.Random, now: datetime) -> Clock:
    """A clock that passes midnight of its own time zone soon."""
    zone = draw.choice(TIME_ZONES)
    local = now.astimezone(ZoneInfo(zone))
    midnight = datetime.combine(local.date() + timedelta(days=1), time(), ZoneInfo(zone))
    return _shortly_before(midnight, now, zone)


def before_change(draw: random.Random, now: datetime) -> Clock:
    """A clock whose hour is left out, or comes twice, soon: the next change to or from summer time."""
    zone, is_to_summer = draw.choice(CHANGING), draw.choice([True, False])
    hours = (now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=n) for n in range(1, 24 * 367))
    for hour in hours:
        before, after = (_offset(at, zone) for at in (hour - timedelta(hours=1), hour))
        if after != before and (after > before) is is_to_summer:
            return _shortly_before(hour, now, zone)
    raise AssertionError(f"{zone} has no summer time")


def _offset(at: datetime, zone: str) -> timedelta:
    return at.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()


def _shortly_before(at: datetime, now: datetime, zone: str) -> Clock:
    return Clock(int((at - SHORTLY - now).total_seconds()), zone)
