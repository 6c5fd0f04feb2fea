"""What django-q2 calls. It only wakes us up: a wake-up that comes twice, late or never does no harm."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django_q.models import OrmQ

from sending import actions, drain, health, loops, schedules, sender, settle
from sending import dispatch as dispatcher
from sending import reconcile as reconciliation
from sending import retry as retries
from sending.database import AWAY
from sending.heartbeat import at_work, beat, forget_gone_clusters
from sending.longwork import running
from sending.models import Batch, Pacing

logger = logging.getLogger(__name__)

# A loop's turn: it comes back rather than last, so that no worker is at one thing for long.
TURN = 29.0  # seconds
LOOK_AGAIN = 1.0  # seconds between two looks of a loop at most: what a wake-up began, it carries on
DATABASE_AWAY = 1.0  # seconds until a loop asks again
PATIENCE, LOST = timedelta(seconds=2), timedelta(seconds=30)

Step = Callable[[], float | None]  # seconds until there may be more to do; None: nothing


def dispatch() -> str:
    """Settles what the dead left behind and dispatches batches as the pace asks, for up to one turn.

    One process of a cluster loops, each other one does one step. The loop ends where nothing is to be done
    before the cluster's next pulse, which looks again.
    """
    mails = 0

    def step() -> float | None:
        nonlocal mails
        with beat("dispatch") as outcome:
            settle.recover()
            done = dispatcher.dispatch()
            mails += done.mails
            outcome.text = f"{mails} mails dispatched"
        if done.next_in is None or done.next_in > settings.PULSE_EVERY:
            return None
        return min(done.next_in, LOOK_AGAIN)

    if _loop("dispatch", step):
        schedules.wake_up()  # it goes on, behind what waits for a worker
    return f"{mails} mails dispatched"


def send_batch(batch_id: int) -> str:
    """Sends one batch."""
    with beat("send_batch") as outcome, at_work("send_batch"):
        outcome.text = sender.send_batch(batch_id)
    return outcome.text


def retry() -> str:
    """Gives mails whose retry is due back to the queue, for up to one turn."""
    moved = 0

    def step() -> float:
        nonlocal moved
        with beat("retry") as outcome:
            moved += retries.retry_due()
            outcome.text = f"Retried {moved} failed emails"
        return Pacing.load().retry_interval

    _loop("retry", step)
    return f"Retried {moved} failed emails"


def pulse() -> None:
    """Shows that this cluster takes work, and that it looks at the queue; see sending.broker."""
    with beat("pulse"):
        pass
    dispatch()


def recover() -> str:
    """Settles the batches of workers that died, and adds the tally up."""
    with beat("recover") as outcome:
        outcome.text = f"{settle.recover()} batches recovered"
        actions.cancel_leftovers()
        settle.compact_tally()
        health.note_stuck()
        forget_gone_clusters()
    return outcome.text


def reconcile() -> str:
    """Looks for uncertain mails in the Sent folder, and settles them by what it finds."""
    with beat("reconcile") as outcome:
        outcome.text = str(reconciliation.reconcile())
    return outcome.text


def run_long_work() -> str:
    """Does one step of long work; the next one is a job of its own, so that batches get their turn."""
    with beat("long_work") as outcome, at_work("long_work"):
        if work := running.run_next():
            outcome.text = f"{work._meta.verbose_name_raw} {work.pk} is {work.state}"  # type: ignore[attr-defined]
            if running.is_any_waiting():
                running.wake_up()
    return outcome.text


def tend_long_work() -> str:
    """Has a worker go on with what was left by one that died, and removes old files."""
    with beat("tend_long_work") as outcome:
        outcome.text = f"{running.tidy()} old files removed"
        if running.is_any_waiting():
            running.wake_up()
    return outcome.text


def _loop(job: str, step: Step) -> bool:
    """Does the job's step again and again, for up to one turn, where this process is the one that loops.

    Goes on past a database that is away; ends early when nothing is to be done, or others wait for a worker.
    True: it could have gone on.
    """
    ends = time.monotonic() + TURN
    with loops.only_one(job) as loops_here:
        while True:
            try:
                seconds = step()
                if seconds is None or not loops_here:
                    return False
                if _others_wait():
                    return True
            except AWAY as error:
                logger.warning("The job %s waits for the database: %s", job, type(error).__name__)
                connection.close()
                seconds = DATABASE_AWAY
            if not loops_here or time.monotonic() + seconds > ends:
                return loops_here
            if drain.stopping.wait(seconds):
                return False


def _others_wait() -> bool:
    """Whether a task, or a batch, has found no worker for a while: with few of them, loops must give way.

    A batch that has waited for long is not waiting for a worker, but for its lease to end.
    """
    since = Now() - PATIENCE
    unstarted = Batch.objects.filter(finished=None, started=None, created__gt=Now() - LOST)
    return OrmQ.objects.filter(lock__lte=since).exists() or unstarted.filter(created__lte=since).exists()
