"""Signs of life: who looks at the queue, whether the look fails, and which workers fell silent."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from sending.models import Batch, Heartbeat

STUCK = "stuck"  # the heartbeat that tells since when due mail lies still (health.note_stuck)
SLOW = timedelta(seconds=10)  # beside the pauses between mails, which a lease has room for
STUCK_FOR = timedelta(seconds=45)  # longer than a wake-up takes, shorter than from one look to the next


def is_alive(beat: Heartbeat | None, now: datetime) -> bool:
    """Whether the last sign of life is fresh by Postgres' clock (`now`), and not of a failure.

    The dispatcher beats with each pulse of a cluster, every 15 s; six missed beats are no hiccup.
    """
    return _is_fresh(beat, now) and not is_failing(beat, now)


def is_failing(beat: Heartbeat | None, now: datetime) -> bool:
    """Whether the last sign of life is fresh, and one of a failure: it runs, but can't do its work."""
    return beat is not None and _is_fresh(beat, now) and beat.outcome.startswith("failed")


def _is_fresh(beat: Heartbeat | None, now: datetime) -> bool:
    return beat is not None and beat.at > now - timedelta(seconds=settings.SILENT_AFTER)


def seen_stuck(now: datetime) -> bool:
    """Whether due mail was seen to lie still, and not just a moment ago."""
    return Heartbeat.objects.filter(job=STUCK, at__lt=now - STUCK_FOR).exists()


def last_sign() -> Heartbeat | None:
    """The last beat of a dispatcher, or of a batch where the workers are all busy sending."""
    beats = Heartbeat.objects.filter(job__in=("dispatch", "send_batch"))
    return beats.exclude(job="send_batch", outcome__startswith="failed").order_by("-at").first()


def is_slow(now: datetime) -> bool:
    """Whether a batch has told nothing for a moment: its server is slow, or its worker died."""
    return _quiet(now, SLOW).exists()


def silent_batches(now: datetime) -> dict[int, datetime]:
    """Batches whose workers have told nothing for a third of their leases, by id, and when these end."""
    return dict(_quiet(now, timedelta(seconds=settings.BATCH_LEASE / 3)).values_list("pk", "lease"))


def _quiet(now: datetime, since: timedelta) -> QuerySet[Batch]:
    """Batches in work whose leases were not renewed for so long."""
    fresh = now + timedelta(seconds=settings.BATCH_LEASE) - since
    return Batch.objects.filter(finished=None, started__isnull=False, lease__lt=fresh)
