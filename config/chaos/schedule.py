"""The seeded schedule of faults: which, in which order, and after how many accepted mails each."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
    "clusters: one with a wrong clock": (6, 1),
}
CLUSTERS = (1, 2, 4)
# Where hosts believe to be when their clock is wrong: far off, midnight, a change of summer time.
DAY = 86_400
TIME_ZONES = ("America/New_York", "Pacific/Kiritimati", "Europe/Berlin", "Asia/Kathmandu", "UTC")


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


def wrong_clock(draw: random.Random, now: float) -> Clock:
    """A clock that is days or minutes off, just before midnight, or just before a summer time change."""
    ahead = draw.choice([
        3 * DAY, -3 * DAY, 1800, -7200, 45,
        DAY - int(now) % DAY - 10,  # ten seconds before midnight, UTC
        _summer_time(now),
    ])  # fmt: skip
    return Clock(ahead, draw.choice(TIME_ZONES))


def _summer_time(now: float) -> int:
    """Seconds until ten before the next last Sunday of March, 01:00 UTC, when Europe's clocks jump."""

    today = datetime.fromtimestamp(now, UTC)
    for year in (today.year, today.year + 1):
        last = datetime(year, 3, 31, 0, 59, 50, tzinfo=UTC)
        change = last - timedelta(days=(last.weekday() + 1) % 7)
        if change > today:
            break
    return int((change - today).total_seconds())
