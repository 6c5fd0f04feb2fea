"""The run itself: `python -m config.chaos.run`, on the database of its own (see __main__.py)."""

import json
import logging
import os
import shutil
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models.functions import Now  # noqa: E402
from django_q.models import OrmQ  # noqa: E402
from django_q.tasks import async_task  # noqa: E402

from config import embedded_postgres  # noqa: E402
from config.chaos import claims, database, facts, options, scene, schedule, staff  # noqa: E402
from config.chaos.clusters import Fleet  # noqa: E402
from config.chaos.faults import Faults  # noqa: E402
from config.chaos.judge import judge  # noqa: E402
from config.chaos.options import Options  # noqa: E402
from config.chaos.oracle_log import OracleLog  # noqa: E402
from config.chaos.oracle_process import OracleProcess  # noqa: E402
from config.chaos.table import table  # noqa: E402
from config.environment import POSTGRES_DATA  # noqa: E402
from config.processes import database_url  # noqa: E402
from config.standby import Pair  # noqa: E402
from sending import uncertain  # noqa: E402
from sending.actions import set_pacing  # noqa: E402
from sending.models import Heartbeat, QueuedEmail  # noqa: E402
from sending.status import queue_status  # noqa: E402

STANDBY_DATA = POSTGRES_DATA.with_name("standby")
FOLDER = settings.VAR_DIR / "run"
STAFF_EVERY = 2.0  # seconds
TELL_EVERY = 5.0
STANDSTILL, SHORT_STANDSTILL = 20.0, 4.0  # seconds without an acceptance, then the next fault comes
# Seconds for the queue to come to rest, once all faults are over; what moves no more is judged as it is.
REST_WITHIN, SHORT_REST_WITHIN = 240.0, 80.0


class Run:
    """One run, from an empty database to the table."""

    def __init__(self, asked: Options):
        self.options = asked
        self.plan = schedule.make(asked)
        self.started = time.monotonic()
        self.log = FOLDER / "oracle.log"
        self.servers = Pair(POSTGRES_DATA, STANDBY_DATA)
        self._next_staff = self._next_word = 0.0
        self._size = self._accepted = self._history = 0

    def run(self) -> int:
        """Returns 0 when every promise was kept, else 1."""
        say(f"Seed {self.options.seed}: {self.options.mails:,} mails, {len(self.plan)} faults")
        boxes = scene.mailboxes(self.options)
        self._make_database()
        self._claim()
        scene.describe_accounts(boxes, FOLDER)
        oracle = OracleProcess(self.options, FOLDER)
        try:
            log = OracleLog(oracle.log)
            self.queued = scene.build(self.options, boxes, oracle.port, oracle.imap_port, log)
            self._history = sum(box.history for box in boxes)
            self.fleet = Fleet(FOLDER, self._environment())
            try:
                self.faults = Faults(self.options, self.fleet, oracle, self.servers)
                self._cause_trouble()
                oracle.be_calm()
                self._come_to_rest()
                self.fleet.end_all()
            finally:
                self.fleet.kill_everything()
            return self._judge()
        finally:
            oracle.end()

    def _make_database(self) -> None:
        if self.options.has_standby:
            connection.close()
            connection.settings_dict["HOST"] = self.servers.start()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("flush", interactive=False, verbosity=0)

    def _claim(self) -> None:
        """Many claimers at once, on the empty database; see claims.py."""
        self.claims = None
        if self.options.claims:
            say(f"{self.options.claims:,} claims of 32 claimers on 20 accounts ...")
            self.claims = claims.run(32, self.options.claims, 20, self.options.seed)
            call_command("flush", interactive=False, verbosity=0)

    def _environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": database_url(),
            "SMTP_CA_FILE": str(FOLDER / "ca.pem"),
            "SMTP_TIMEOUT": "2",
            "BATCH_LEASE": str(self.options.lease),
            "WORKERS": "4",
            "WATCHDOG_AFTER": "10",
            "SILENT_AFTER": "40",
            "STUCK_AFTER": "60",
        }

    def _cause_trouble(self) -> None:
        """One fault after the other, each when so many mails were accepted, or when all stands still."""
        for _ in range(1 if self.options.is_short else 2):
            self.fleet.start()
        moved_at, last = time.monotonic(), -1
        standstill = SHORT_STANDSTILL if self.options.is_short else STANDSTILL
        waiting = list(self.plan)
        while waiting and time.monotonic() - self.started < 60 * self.options.minutes:
            self._pass_time()
            if (accepted := self.accepted()) != last:
                moved_at, last = time.monotonic(), accepted
            is_standing = time.monotonic() - moved_at > standstill
            if (accepted >= waiting[0].after or is_standing) and self._cause(waiting):
                moved_at = time.monotonic()
            if is_standing and self._is_at_rest():
                break
        self.faults.wait_for_the_last()

    def _cause(self, waiting: list[schedule.Fault]) -> bool:
        fault = waiting.pop(0)
        if not (is_done := self.faults.cause(fault)):
            waiting.append(fault)  # nothing to hit: it comes last
        with (FOLDER / "faults.log").open("a") as log:
            log.write(f"{datetime.now(UTC):%T} {fault.kind}{'' if is_done else ': nothing to hit'}\n")
        return is_done

    def _come_to_rest(self) -> None:
        """The server behaves, all clocks are right, the pace is quick: what can be sent is sent."""
        database.patiently(lambda: set_pacing(**scene.PACE))
        for cluster in [c for c in self.fleet.clusters if not c.clock.is_right]:
            self.fleet.end(cluster)
        while not self.fleet.clusters:
            self.fleet.start()
        ends = time.monotonic() + (SHORT_REST_WITHIN if self.options.is_short else REST_WITHIN)
        while time.monotonic() < ends and not self._is_at_rest():
            self._pass_time()
            if self.options.is_short:
                database.patiently(self._wake_up)
            time.sleep(0.5)

    @staticmethod
    def _wake_up() -> None:
        """Asks for jobs that rest until the schedule's next tick: a short run has no time for that.

        Never for one that is at work: each would keep a worker of its own busy for its turn.
        """
        for job in ("retry", "dispatch"):
            beat = Heartbeat.objects.filter(job=job, at__gt=Now() - timedelta(seconds=5))
            if not (beat.exists() or OrmQ.objects.filter(lock__lte=Now()).exists()):
                async_task(f"sending.jobs.{job}")

    def _is_at_rest(self) -> bool:
        def look() -> bool:
            staff.mend()  # a pause is no reason to wait that a run could end with
            with transaction.atomic(), connection.cursor() as cursor:
                # One snapshot: a mail that is claimed between two looks takes room, and may come back.
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                return _nothing_can_move()

        return database.patiently(look)

    def _pass_time(self) -> None:
        """What goes on all the time: the staff, the service manager, a word on the terminal."""
        time.sleep(0.02)
        now = time.monotonic()
        if now >= self._next_staff:
            self._next_staff = now + STAFF_EVERY
            self.fleet.revive()
            database.patiently(staff.mend)
        if now >= self._next_word:
            self._next_word = now + TELL_EVERY
            self._tell()

    def _tell(self) -> None:
        status = database.patiently(queue_status)
        states = ", ".join(
            f"{status[name]} {name}" for name in ("pending", "sending", "retry", "uncertain", "failed")
        )
        caused = sum(self.faults.done.values())
        say(
            f"{time.monotonic() - self.started:5.0f} s  {self.accepted():,} accepted; {states}; "
            f"{caused}/{len(self.plan)} faults, {len(self.fleet.clusters)} clusters"
        )

    def accepted(self) -> int:
        """Mails of this run that the oracle accepted so far."""
        with self.log.open("rb") as file:
            file.seek(self._size)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._size += len(whole)
        self._accepted += whole.count(b'"what": "accepted"')
        return self._accepted - self._history

    def _judge(self) -> int:
        staff.mend()
        found = facts.collect(FOLDER, self.queued)
        found.write(FOLDER / "facts.json")
        verdict = judge(found)
        broken = verdict.broken
        if self.claims:
            broken += self.claims.over_limit + self.claims.errors
        killed = sum(count for kind, count in self.faults.done.items() if kind.startswith("kill -9"))
        if killed < self.options.kills and not self.options.is_short:
            broken.append(f"only {killed} of {self.options.kills} kills: give it more time or mails")
        if not self.options.is_short:
            never = {fault.kind for fault in self.plan}.difference(self.faults.done)
            broken += [f"never caused: {kind}" for kind in sorted(never)]
        result = {
            "seed": self.options.seed, "broken": broken, "faults": self.faults.done,
            "verdict": asdict(verdict), "lanes_at_kills": self.faults.lanes_at_kills,
        }  # fmt: skip
        (FOLDER / "result.json").write_text(json.dumps(result, indent=1))
        took = time.monotonic() - self.started
        told = table(found, verdict, self.faults.done, self.faults.lanes_at_kills, str(self.claims or ""))
        say("", told, "")
        say(f"{took:.0f} s. The same plan again: {self.options.command}")
        if broken:
            say("Promises were broken:", *(f"  {sentence}" for sentence in broken))
            say(f"The evidence is in {FOLDER}.")
            return 1
        say("Every promise was kept.")
        return 0


def _nothing_can_move() -> bool:
    open_now = Counter(QueuedEmail.objects.values_list("campaign__name", "status"))
    if any(status == "sending" for _, status in open_now):
        return False
    if any(plan.next != uncertain.Next.HOLD for plan in uncertain.plans(_uncertain()).values()):
        return False  # there is still a look to come
    room = facts.room()
    waits = {name for name, status in open_now if status in ("pending", "retry")}
    return all(not room.get(name, 1) for name in waits)


def _uncertain() -> list[int]:
    return list(QueuedEmail.objects.filter(status="uncertain").values_list("id", flat=True))


def say(*lines: str) -> None:
    """Prints lines at once."""
    print("\n".join(lines), flush=True)


def main() -> int:
    """Runs it; the database is stopped at the end, its data stays for a look at it."""
    asked = options.parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.disable(logging.WARNING)  # what the actions log
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    try:
        return Run(asked).run()
    except KeyboardInterrupt:
        say("", f"Ended before its end. The same plan again: {asked.command}")
        return 130
    finally:
        for data in (POSTGRES_DATA, STANDBY_DATA):
            with suppress(Exception):
                embedded_postgres.stop(data, "immediate")


if __name__ == "__main__":
    raise SystemExit(main())
