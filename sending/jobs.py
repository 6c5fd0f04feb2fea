"""What django-q2 calls. It only wakes us up: a wake-up that comes twice, late or never does no harm."""

import time
from datetime import timedelta

from django.db.models.functions import Now
from django_q.models import OrmQ

from sending import actions, drain, sender, settle
from sending import dispatch as dispatcher
from sending import reconcile as reconciliation
from sending import retry as retries
from sending.heartbeat import at_work, beat, forget_gone_clusters
from sending.longwork import running
from sending.models import Pacing

# django-q2 looks at its schedules every 30 s; a job fills that time itself when the knobs want
# shorter intervals, and comes back early rather than overlap for long.
TURN = 29.0
PATIENCE = timedelta(seconds=5)


def dispatch() -> str:
    """Dispatches batches as the pace asks for them, for up to one turn."""
    ends = time.monotonic() + TURN
    mails = 0
    while True:
        with beat("dispatch") as outcome:
            settle.recover()
            done = dispatcher.dispatch()
            mails += done.mails
            outcome.text = f"{mails} mails dispatched"
        if not _sleep(done.next_in, ends):
            return outcome.text


def send_batch(batch_id: int) -> str:
    """Sends one batch."""
    with beat("send_batch") as outcome, at_work("send_batch"):
        outcome.text = sender.send_batch(batch_id)
    return outcome.text


def retry() -> str:
    """Gives mails whose retry is due back to the queue, for up to one turn."""
    ends = time.monotonic() + TURN
    while True:
        with beat("retry") as outcome:
            outcome.text = f"Retried {retries.retry_due()} failed emails"
        if not _sleep(Pacing.load().retry_interval, ends):
            return outcome.text


def pulse() -> None:
    """Shows that this cluster takes work; see sending.broker."""
    with beat("pulse"):
        pass


def recover() -> str:
    """Settles the batches of workers that died, and adds the tally up."""
    with beat("recover") as outcome:
        outcome.text = f"{settle.recover()} batches recovered"
        actions.cancel_leftovers()
        settle.compact_tally()
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
            outcome.text = f"{work._meta.verbose_name} {work.pk} is {work.state}"  # type: ignore[attr-defined]
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


def _sleep(seconds: float | None, ends: float) -> bool:
    """Sleeps until the next step of this turn. False when there is none, or others need the worker."""
    if seconds is None or time.monotonic() + seconds > ends or _others_wait():
        return False
    return not drain.stopping.wait(seconds)


def _others_wait() -> bool:
    """Whether a task has found no worker for a while: with few of them, turns must not fill the time."""
    return OrmQ.objects.filter(lock__lte=Now() - PATIENCE).exists()
