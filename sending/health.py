"""Whether sending is well: for /healthz and for the watchdog. A constant number of queries.

Two things tell: somebody looks at the queue (heartbeats), and due mail moves. A cluster whose inner
queue is wedged looks alive from outside, but does neither.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.clock import database_now
from accounts.models import SmtpAccount
from sending import capacity
from sending.dispatch import campaigns_that_wait
from sending.life_signs import STUCK, is_alive, is_failing, last_sign, seen_stuck
from sending.models import Batch, Heartbeat, Pacing, SendLog


@dataclass(frozen=True)
class Health:
    """How sending stands. silent_for: seconds since the last sign of life, None when there was none."""

    silent_for: float | None
    is_alive: bool
    is_stuck: bool
    is_failing: bool = False  # somebody looks at the queue, but the look fails

    @property
    def is_well(self) -> bool:
        return self.is_alive and not self.is_stuck

    def __str__(self) -> str:
        if self.silent_for is None:
            return _("Sending is not running: no worker has ever reported.")
        told = {"seconds": f"{self.silent_for:.0f}"}
        if self.is_failing:
            text = _("Sending fails: the last look at the queue was %(seconds)s s ago; the log says more.")
            return text % told
        if not self.is_alive:
            return _("Sending is not running: the last sign of life is %(seconds)s s old.") % told
        if self.is_stuck:
            text = _(
                "Sending is stuck: mail is due, and nothing moves; the last sign of life is "
                "%(seconds)s s old."
            )
            return text % told
        return _("Sending is alive: the last sign of life is %(seconds)s s old.") % told


def look() -> Health:
    """Asks the database; raises OperationalError without one."""
    now, sign = database_now(), last_sign()
    return Health(
        silent_for=(now - sign.at).total_seconds() if sign else None,
        is_alive=is_alive(sign, now),
        is_stuck=seen_stuck(now) and is_stuck(now),
        is_failing=is_failing(sign, now),
    )


def note_stuck() -> None:
    """Remembers since when mail lies still, for look() and queue_status; to be called every minute.

    One look does not tell: a campaign or an account that was resumed a moment ago looks the same.
    """
    if not is_stuck(database_now()):
        Heartbeat.objects.filter(job=STUCK).delete()
        return
    try:
        with transaction.atomic():
            Heartbeat.objects.get_or_create(
                job=STUCK, host="", defaults={"at": Now(), "duration": 0, "outcome": "mail lies still"}
            )
    except IntegrityError:  # another cluster was quicker
        return


def last_pulse(cluster: str) -> datetime | None:
    """When this cluster last showed that it takes work, whatever work it was."""
    return Heartbeat.objects.filter(host=cluster).aggregate(at=Max("at"))["at"]


def is_stuck(now: datetime) -> bool:
    """Whether mail has been due for longer than the pace explains, and nothing has moved since.

    What became due meanwhile does not count: a campaign that was queued, an account that became free or a
    window that opened within that time waits for its turn.
    """
    pacing = Pacing.objects.first() or Pacing()
    pause = pacing.batch_interval + pacing.delay + pacing.jitter
    since = now - timedelta(seconds=settings.STUCK_AFTER + pause)
    is_closed = pacing.window.opens_at(now) or pacing.window.opens_at(since)
    if is_closed or _moved_after(since):
        return False
    campaigns = list(campaigns_that_wait().filter(queued_at__lt=since).exclude(scheduled_at__gt=since))
    ready = _ready_since(since) if campaigns else set()
    return any(ready & ({a.pk for a in campaign.accounts.all()} or ready) for campaign in campaigns)


def _moved_after(since: datetime) -> bool:
    """Whether any mail was tried since, or a worker is about to. Batches that are claimed, and fail before
    their first mail, move nothing."""
    at_work = Batch.objects.filter(finished=None, started__isnull=False, lease__gt=Now())
    return SendLog.objects.filter(at__gt=since).exists() or at_work.exists()


def _ready_since(since: datetime) -> set[int]:
    """Accounts that could have taken mail all the time since then, nothing having moved."""
    usable = SmtpAccount.objects.usable().exclude(paused_until__gt=since).values_list("pk", flat=True)
    capacities = capacity.look(usable, since)
    return {account for account, known in capacities.items() if known.left and not known.held_by}
