"""A worker's part of long work: one at a time, all or nothing, given up as soon as it is taken away.

The row says who has it (token) and until when (lease). A thread renews the lease and writes the
progress on a connection of its own. The worker's last statement moves the row on, in the same
transaction as what it did, and only while the token is still the worker's: so what was cancelled,
or is done by another worker by now, rolls back. Done means all of it, anything else nothing.

One piece of work is at work at a time, of all kinds and in all clusters, so that the other workers send.
"""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import Error, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.functional import Promise
from django_q.tasks import async_task

from sending import drain
from sending.database import AWAY
from sending.longwork.models import LongWork

logger = logging.getLogger(__name__)
LEASE = timedelta(seconds=15)
RENEW_EVERY = 0.5  # seconds: as often the page may show something new
MOST_ATTEMPTS = 3
FROZEN_AFTER = "60s"  # between two statements
LONGEST = 6 * 3600  # seconds that a step may take: django-q2 would end it after those of a batch
CLAIM_LOCK = 0x6C6F6E67  # "long": Postgres' advisory lock of those who claim
HELD_NO_MORE = {"slot": None, "token": None, "lease": None}


class WorkRefused(Exception):
    """It can't be done; the text says why and what to do."""


class Interrupted(Exception):
    """The work is not this worker's any more, or the worker has to end."""


class Progress:
    """How far a worker is: rows of total. Another thread looks at it."""

    def __init__(self) -> None:
        self.rows = self.total = 0
        self.is_over = False
        self.measure: Callable[[], tuple[int, int]] = self._measure

    def step(self, rows: int) -> None:
        """So many rows more. Raises Interrupted when the work is over before its time."""
        self.rows += rows
        self.go_on()

    def go_on(self) -> None:
        """Raises Interrupted when the work is over before its time. To be called often: no statement is
        there to be cut while rows are read, or copied into PostgreSQL."""
        if self.is_over:
            raise Interrupted

    def _measure(self) -> tuple[int, int]:
        """Rows, and percent of the whole."""
        return self.rows, min(99, 100 * self.rows // self.total) if self.total else 0


def _nothing(work: Any) -> None: ...


@dataclass(frozen=True)
class Kind:
    """A kind of long work.

    do: does it, inside a transaction, and returns the changes of the row's last move, `state` among them;
    raises WorkRefused. given_up: what is told when workers ended in the midst of it three times.
    failed: the same for an error nobody foresaw, whose name is put in. refused: undoes what waited for
    it, in the transaction that refuses it. tidy: removes what is old, and returns how many files.
    """

    model: type[LongWork]
    do: Callable[[Any, Progress], dict[str, Any]]
    given_up: str | Promise
    failed: str | Promise
    refused: Callable[[Any], None] = _nothing
    tidy: Callable[[], int] = lambda: 0


KINDS: list[Kind] = []


def declare(kind: Kind) -> None:
    """Adds a kind of long work, by the room whose it is. Called when Django starts."""
    KINDS.append(kind)


def wake_up() -> None:
    """Asks for a worker now, rather than at the next tick of the schedule."""
    async_task("sending.jobs.run_long_work", timeout=LONGEST)


def run_next() -> LongWork | None:
    """Does the next step of what waits longest; None when nothing does, or something is at work."""
    claimed = _claim()
    if claimed is None:
        return None
    kind, work = claimed
    try:
        _work(kind, work)
    except WorkRefused as refusal:
        _refuse(kind, work, str(refusal))
    except Interrupted:
        _give_back(work)
    except AWAY:
        raise  # the database is away: the lease runs out, and a worker begins again
    except Exception as error:
        name = type(error).__name__
        logger.error("%s failed: %s", _named(work), name)  # its text may hold addresses
        _refuse(kind, work, str(kind.failed) % name)
    work.refresh_from_db()
    return work


def check_is_ours(work: LongWork) -> None:
    """Raises Interrupted when it is another's by now: before much is written in vain."""
    if not _mine(work).exists():
        raise Interrupted


def is_any_waiting() -> bool:
    """Whether anything waits for a worker, or was left by one that died."""
    return any(_in_work(kind).filter(_FREE).exists() for kind in KINDS)


def tidy() -> int:
    """Removes what is old; returns how many files."""
    return sum(kind.tidy() for kind in KINDS)


_FREE = Q(slot=None) | Q(lease__lt=Now())


def _in_work(kind: Kind) -> Any:
    rows: Any = kind.model._default_manager  # each model has its own state
    return rows.filter(state__in=kind.model.IN_WORK)


@transaction.atomic
def _claim() -> tuple[Kind, Any] | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
    for kind in KINDS:
        _in_work(kind).filter(lease__lt=Now()).update(**HELD_NO_MORE)
        for work in _in_work(kind).filter(slot=None, attempts__gte=MOST_ATTEMPTS):
            _refuse(kind, work, str(kind.given_up))
    if any(_in_work(kind).filter(slot=1).exists() for kind in KINDS):
        return None
    waiting = [(kind, first) for kind in KINDS if (first := _in_work(kind).order_by("id").first())]
    if not waiting:
        return None
    kind, work = min(waiting, key=lambda one: one[1].created_at)
    work.token = uuid4()
    held = {"slot": 1, "token": work.token, "lease": Now() + LEASE, "rows_done": 0, "percent": 0}
    free = _in_work(kind).filter(pk=work.pk, state=work.state, slot=None)
    return (kind, work) if free.update(attempts=F("attempts") + 1, **held) else None


def _work(kind: Kind, work: Any) -> None:
    progress = Progress()
    with _Follower(work, progress) as follower, transaction.atomic():
        _let_go_when_frozen()
        try:
            changes = kind.do(work, progress)
        finally:
            follower.end()  # before anything is rolled back, which must not be cut
        _finish(work, **changes)


def _let_go_when_frozen() -> None:
    """PostgreSQL ends the transaction of a worker that stopped in the midst of it: others need its locks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [FROZEN_AFTER])


def _finish(work: Any, state: str, **changes: Any) -> None:
    """Moves the work on while it is ours, or raises Interrupted."""
    if state in work.FINAL:
        changes["finished_at"] = Now()
    if not _mine(work).update(state=state, percent=100, attempts=0, **HELD_NO_MORE, **changes):
        raise Interrupted
    logger.info("%s is %s", _named(work), state)


def _refuse(kind: Kind, work: Any, reason: str) -> None:
    with suppress(Interrupted), transaction.atomic():
        kind.refused(work)
        _finish(work, "refused", refusal=reason[:1000])


def _give_back(work: Any) -> None:
    """To be begun again by another worker: this one was told to end, which costs no attempt."""
    if _mine(work).update(attempts=F("attempts") - 1, rows_done=0, percent=0, **HELD_NO_MORE):
        logger.info("%s waits for another worker", _named(work))


def _mine(work: Any) -> Any:
    """The row, as long as nobody else has moved it."""
    return type(work).objects.filter(pk=work.pk, state=work.state, token=work.token)


def _named(work: Any) -> str:
    return f"{work._meta.verbose_name_raw.capitalize()} {work.pk}"


class _Follower:
    """A thread that writes the progress, and cuts the work short when it is over before its time."""

    def __init__(self, work: Any, progress: Progress) -> None:
        self.work, self.progress = work, progress
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "_Follower":
        connection.ensure_connection()
        self._working = connection.connection
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def end(self) -> None:
        """The work is done: nothing is cut any more. Raises Interrupted when it was over before."""
        self.__exit__()
        if self.progress.is_over:
            raise Interrupted

    def _follow(self) -> None:
        try:
            while not self._ended.wait(RENEW_EVERY):
                over = self.progress.is_over or drain.stopping.is_set() or not self._renew()
                self.progress.is_over = over
                if over:
                    self._working.cancel_safe(timeout=2)
        finally:
            connection.close()  # the thread's own

    def _renew(self) -> bool:
        """False when the work is another's, or cancelled."""
        rows, percent = self.progress.measure()
        try:
            return bool(_mine(self.work).update(lease=Now() + LEASE, rows_done=rows, percent=percent))
        except Error as error:
            logger.warning("The progress of %s can't be written: %s", _named(self.work), type(error).__name__)
            connection.close()
            return True
