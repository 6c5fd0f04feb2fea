"""Causes one fault after the other, and counts what it did."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import psutil

from campaigns import actions
from campaigns.models import Campaign
from config.chaos import database, schedule
from config.chaos.clusters import Clock, Cluster, Fleet, is_talking
from config.chaos.options import Options
from config.chaos.oracle_process import OracleProcess
from config.chaos.schedule import Fault
from config.processes import kill_all, wait_until
from config.standby import Pair
from sending.actions import set_pacing
from sending.models import Batch

AT_WORK_WITHIN = 5.0  # seconds to wait for a worker that is in a conversation
STRIKES_WITHIN = 8.0  # seconds to connect and to get locks


class Faults:
    """lanes_at_kills: for each kill -9, how many batches were being sent at that moment."""

    def __init__(self, options: Options, fleet: Fleet, oracle: OracleProcess, servers: Pair):
        self.options, self.fleet, self.oracle, self.servers = options, fleet, oracle, servers
        self.done: Counter[str] = Counter()
        self.lanes_at_kills: list[int] = []
        self._threads: list[threading.Thread] = []
        self._causes: dict[str, Callable[[random.Random], bool]] = {
            "kill -9: a worker": self._kill_worker,
            "kill -9: a worker in a conversation": self._kill_talking_worker,
            "kill -9: who sends, a mail accepted and untold": self._kill_senders,
            "kill -9: the sentinel": self._kill_sentinel,
            "kill -9: the main process": self._kill_main,
            "kill -9: the whole cluster": self._kill_cluster,
            "kill -9: the watchdog": self._kill_watchdog,
            "SIGTERM to a cluster": self._terminate,
            "SIGSTOP past the lease, SIGCONT": self._freeze,
            "pg_terminate_backend, for seconds": self._end_sessions,
            "idle in transaction, rows locked": self._hold_rows,
            "campaign paused and resumed": self._pause_campaign,
            "knobs changed": self._change_knobs,
            schedule.FAILOVER: self._fail_over,
            "clusters: another number": self._change_number,
            "clusters: one whose clock is far off": partial(self._wrong_clock, schedule.far_off),
            "clusters: one whose clock is about to pass midnight": partial(
                self._wrong_clock, schedule.before_midnight
            ),
            "clusters: one whose clock is about to change its hour": partial(
                self._wrong_clock, schedule.before_change
            ),
        }

    def cause(self, fault: Fault) -> bool:
        """Causes it; False where there was nothing to hit, then the caller tries again later."""
        draw = fault.draw()
        if fault.kind in schedule.RESTARTS:
            how = fault.kind.removeprefix("PostgreSQL: ").removesuffix(" restart")
            database.restart(how, self.servers.primary)
            is_done = True
        else:
            is_done = self._causes[fault.kind](draw)
        if is_done:
            self.done[fault.kind] += 1
        return is_done

    def wait_for_the_last(self) -> None:
        """Returns when what lasts for a while is over."""
        for thread in self._threads:
            thread.join(60)

    # --- kill -9 ---

    def _kill(self, *processes: psutil.Process | None) -> bool:
        found = [process for process in processes if process]
        if not found:
            return False
        with suppress(Exception):  # the database may be away: then no lane is known
            self.lanes_at_kills.append(_lanes())
        kill_all(found)
        return True

    def _kill_worker(self, draw: random.Random) -> bool:
        return self._kill(_one_of(draw, self._workers()))

    def _kill_talking_worker(self, draw: random.Random) -> bool:
        wait_until(self._talking, AT_WORK_WITHIN)
        return self._kill(_one_of(draw, self._talking()))

    def _kill_senders(self, draw: random.Random) -> bool:
        """In the worst moment: the server has taken the mail in the hand of one of them, and not said so."""
        return self.oracle.accept_untold(AT_WORK_WITHIN) and self._kill(*self._talking())

    def _kill_sentinel(self, draw: random.Random) -> bool:
        return self._kill(self._cluster(draw).sentinel())

    def _kill_main(self, draw: random.Random) -> bool:
        return self._kill(self._cluster(draw).main())

    def _kill_cluster(self, draw: random.Random) -> bool:
        return self._kill(*self._cluster(draw).processes())

    def _kill_watchdog(self, draw: random.Random) -> bool:
        cluster = self._cluster(draw)
        return self._kill(psutil.Process(cluster.watchdog.pid)) if cluster.watchdog.poll() is None else False

    # --- other signals ---

    def _terminate(self, draw: random.Random) -> bool:
        main = self._cluster(draw).main()
        if main:
            main.terminate()
        return bool(main)

    def _freeze(self, draw: random.Random) -> bool:
        """A worker in a conversation where there is one, else a whole cluster."""
        talking = self._talking()
        frozen = [draw.choice(talking)] if talking else self._cluster(draw).processes()
        if not frozen:
            return False
        _signal(frozen, signal.SIGSTOP)
        seconds = self.options.lease + draw.uniform(0.5, 2.5)
        self._in_background(lambda: (time.sleep(seconds), _signal(frozen, signal.SIGCONT)))
        return True

    # --- the database, the staff, the fleet ---

    def _end_sessions(self, draw: random.Random) -> bool:
        seconds = draw.uniform(0.5, 3)
        return self._when_it_struck(lambda strikes: database.terminate_sessions(seconds, strikes))

    def _fail_over(self, draw: random.Random) -> bool:
        self.servers.fail_over()
        return True

    def _hold_rows(self, draw: random.Random) -> bool:
        what, seconds = database.some_rows(draw), draw.uniform(1, self.options.lease + 2)
        return self._when_it_struck(lambda strikes: database.hold_rows(what, seconds, strikes))

    def _pause_campaign(self, draw: random.Random) -> bool:
        sending = database.patiently(
            lambda: list(Campaign.objects.filter(status="sending").exclude(name="history").order_by("id"))
        )
        if not sending:
            return False
        database.patiently(lambda: _unless_refused(lambda: actions.pause_campaign(draw.choice(sending))))
        return True  # the staff resumes it, see staff.py

    def _change_knobs(self, draw: random.Random) -> bool:
        knobs = {
            "batch_size": draw.choice([1, 5, 25, 60]),
            "batch_interval": draw.choice([0.1, 0.3, 1]),
            "delay": draw.choice([0, 0.01, 0.05]),
            "retry_interval": draw.choice([0.5, 1, 3]),
            "scope": draw.choice(["all", "account"]),
        }
        if knobs["batch_size"] == 1:
            knobs["scope"] = "account"  # else the run takes hours: one mail after the other
        database.patiently(lambda: set_pacing(**knobs))
        return True

    def _change_number(self, draw: random.Random) -> bool:
        numbers = schedule.CLUSTERS[:2] if self.options.is_short else schedule.CLUSTERS
        wanted = draw.choice([n for n in numbers if n != len(self.fleet.clusters)])
        while len(self.fleet.clusters) < wanted:
            self.fleet.start()
        while len(self.fleet.clusters) > wanted:
            self.fleet.end(draw.choice(self.fleet.clusters))
        return True

    def _wrong_clock(self, which: Callable[[random.Random, datetime], Clock], draw: random.Random) -> bool:
        """Ends one cluster and starts one whose host has a wrong clock in its place."""
        self.fleet.end(self._cluster(draw))
        self.fleet.start(which(draw, datetime.now(UTC)))
        return True

    # --- helpers ---

    def _cluster(self, draw: random.Random) -> Cluster:
        return draw.choice(self.fleet.clusters)

    def _workers(self) -> list[psutil.Process]:
        return [worker for cluster in self.fleet.clusters for worker in cluster.workers()]

    def _talking(self) -> list[psutil.Process]:
        return [worker for worker in self._workers() if is_talking(worker, self.oracle.port)]

    def _when_it_struck(self, lasts: Callable[[Callable[[], None]], None]) -> bool:
        """Lets it go on in the background; whether it called what it is given: it has hit something."""
        struck = threading.Event()
        thread = self._in_background(lambda: lasts(struck.set))
        wait_until(lambda: struck.is_set() or not thread.is_alive(), STRIKES_WITHIN)
        return struck.is_set()

    def _in_background(self, lasts: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=lasts, daemon=True)
        thread.start()
        self._threads.append(thread)
        return thread


def _lanes() -> int:
    return Batch.objects.filter(finished=None).exclude(started=None).count()


def _one_of(draw: random.Random, processes: list[psutil.Process]) -> psutil.Process | None:
    return draw.choice(processes) if processes else None


def _signal(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)


def _unless_refused(action: Callable[[], object]) -> None:
    with suppress(actions.Refused):
        action()
