"""Runs a cluster as its child, and starts it anew when it ended or shows no life.

django-q2 can be wedged while it looks well: a worker that is killed while it holds the inner queue's
lock leaves all others waiting for it. Only what reaches the database tells the truth.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import psutil
from django.conf import settings
from django.db import Error, close_old_connections, connection

from accounts.clock import database_now, steady_time
from sending import health, lifeline, settle
from sending.life_signs import last_sign

logger = logging.getLogger("sending")

LOOK_EVERY = 5.0  # seconds between two looks at the database
SLOW_ANSWER = 2.0  # seconds; a database that took longer counts as one that was away
STEP = 0.2  # seconds between two looks at the child
DRAIN_WITHIN = 12.0  # seconds for an orderly end; then all that is left of the cluster is killed
RECOVER_EVERY = 5.0  # seconds between two looks for batches of the dead
LONGEST_PAUSE = 30.0  # seconds between two starts of a cluster that never comes to life
MOST_PATIENCE = 16  # times the usual one: so rarely is a cluster restarted that no restart cures
SUPERVISOR = "BATCHWISE_SUPERVISOR"  # the environment variable that tells the child our process id


@dataclass
class Judge:
    """Whether the cluster has to be started anew. All times are Postgres'.

    What happened before `since` does not count: the start, or an absence of the database. Each
    restart that cured nothing doubles the patience.
    """

    patience: int = 1  # times the usual one
    since: datetime | None = None
    stuck_since: datetime | None = None
    has_lived: bool = False  # whether the cluster that runs now has shown life

    def begin(self) -> None:
        """Starts afresh: the cluster, or the database, was away."""
        self.since = self.stuck_since = None

    def verdict(self) -> str:
        """What is wrong, or "". Asks the database; raises django.db.Error without one."""
        now, pulse, sign = database_now(), health.last_pulse(settings.CLUSTER), last_sign()
        since = self.since = self.since or now
        is_stuck = health.is_stuck(now)
        self.stuck_since = (self.stuck_since or now) if is_stuck else None
        self.has_lived |= bool(pulse and pulse > since)
        if pulse and pulse > since and sign and sign.at > since and not is_stuck:
            self.patience = 1
        if now - max(pulse or since, since) > self.patience * timedelta(seconds=settings.WATCHDOG_AFTER):
            return "its workers take no work"
        silence = self.patience * timedelta(seconds=settings.SILENT_AFTER)
        if now - max(sign.at if sign else since, since) > silence:
            return "nobody looks at the queue"
        if self.stuck_since and now - self.stuck_since > silence:
            return "mail is due, and nothing moves"
        return ""

    def be_more_patient(self) -> None:
        """After a restart: the next one must wait longer, unless the cluster gets well."""
        self.patience = min(2 * self.patience, MOST_PATIENCE)


class Watchdog:
    """Supervises one `manage.py qcluster` until it is told to end by SIGTERM or Ctrl-C."""

    def __init__(self) -> None:
        self.judge = Judge()
        self.is_told_to_end = False
        self.pause = 1.0

    def run(self) -> None:
        """Returns when the cluster has ended on our word."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        threading.Thread(target=_recover_for_ever, daemon=True).start()
        while not self.is_told_to_end:
            cluster = self._start()
            self._watch(cluster)
            self._stop(cluster)
            self._rest(is_well=self.judge.has_lived or cluster.returncode == 0)

    def _end(self, *_: object) -> None:
        self.is_told_to_end = True

    def _start(self) -> subprocess.Popen[bytes]:
        connection.close()
        self.judge.begin()
        self.judge.has_lived = False
        return subprocess.Popen(
            [sys.executable, settings.BASE_DIR / "manage.py", "qcluster"],
            env={**os.environ, SUPERVISOR: str(os.getpid())},
            start_new_session=True,  # so that a signal to our group reaches us alone
        )

    def _watch(self, cluster: subprocess.Popen[bytes]) -> None:
        """Returns when the cluster has to be started anew, or we have to end."""
        next_look = 0.0
        while not self.is_told_to_end:
            if cluster.poll() is not None:
                logger.error("The cluster ended by itself (%s): it is started anew", cluster.returncode)
                return
            if time.monotonic() >= next_look:
                if reason := self._look():
                    logger.error("The cluster is started anew: %s", reason)
                    self.judge.be_more_patient()
                    return
                next_look = time.monotonic() + min(LOOK_EVERY, settings.PULSE_EVERY)
            time.sleep(STEP)

    def _look(self) -> str:
        close_old_connections()  # reads alone don't tell that a server became read-only
        asked = steady_time()
        try:
            reason = self.judge.verdict()
        except Error as error:  # no restart of a cluster brings a database back
            logger.warning("The watchdog can't ask the database: %s", type(error).__name__)
            connection.close()
            self.judge.begin()
            return ""
        if steady_time() - asked > SLOW_ANSWER:  # the cluster had to wait for it, too
            logger.warning("The database took long to answer the watchdog")
            self.judge.begin()
            return ""
        return reason

    def _stop(self, cluster: subprocess.Popen[bytes]) -> None:
        """SIGTERM, so that the mail in hand is finished; after a while kill -9 for what is left."""
        if cluster.poll() is None:
            cluster.terminate()
        ends = time.monotonic() + DRAIN_WITHIN
        while time.monotonic() < ends and (cluster.poll() is None or _lives(cluster.pid)):
            time.sleep(STEP)
        with suppress(ProcessLookupError):
            os.killpg(cluster.pid, signal.SIGKILL)
        cluster.wait()

    def _rest(self, *, is_well: bool) -> None:
        """A cluster that can't even start is not tried again and again without a pause."""
        if is_well:
            self.pause = 1.0
            return
        ends = time.monotonic() + self.pause
        self.pause = min(2 * self.pause, LONGEST_PAUSE)
        while time.monotonic() < ends and not self.is_told_to_end:
            time.sleep(STEP)


def _recover_for_ever() -> None:
    """Settles the batches of workers that died, in a thread: whatever the cluster is, it is at work.

    So a lease that ran out is seen to within seconds, even while the cluster is wedged or starts anew.
    """
    while True:
        try:
            settle.recover()
        except Exception as error:
            logger.warning("The watchdog can't recover batches: %s", type(error).__name__)
            connection.close()
        time.sleep(RECOVER_EVERY)


def _lives(group: int) -> bool:
    """Whether any process of this group still runs."""
    for process in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
    return False


def tie_to_supervisor() -> None:
    """In the cluster: ends it in order when the watchdog that started it dies."""
    if supervisor := os.environ.pop(SUPERVISOR, ""):
        lifeline.tie(int(supervisor), _end_myself)


def _end_myself() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(DRAIN_WITHIN)
    os.killpg(0, signal.SIGKILL)  # the watchdog made a group of its own of us
