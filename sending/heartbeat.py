"""The proof that sending is alive: what each job last did in each cluster, by Postgres' clock."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import Error, connection
from django.db.models.functions import Now

from sending.models import Heartbeat

logger = logging.getLogger(__name__)


class Outcome:
    """What a job says that it did."""

    text = "nothing to do"


@contextmanager
def beat(job: str) -> Iterator[Outcome]:
    """Writes the job's heartbeat when the block ends; one that raises says so in the heartbeat."""
    started = time.monotonic()
    outcome = Outcome()
    try:
        yield outcome
    except Exception as error:
        outcome.text = f"failed: {type(error).__name__}"
        raise
    finally:
        _write(job, time.monotonic() - started, outcome.text)


@contextmanager
def at_work(job: str) -> Iterator[None]:
    """Beats for a job that may be long and silent, from a thread, as long as the block lasts."""
    ended = threading.Event()
    threading.Thread(target=_beat_until, args=(ended, job), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _beat_until(ended: threading.Event, job: str) -> None:
    started = time.monotonic()
    while not ended.wait(settings.PULSE_EVERY):
        try:
            _write(job, time.monotonic() - started, "at work")
        except Error as error:
            logger.warning("No heartbeat of %s: %s", job, type(error).__name__)
        finally:
            connection.close()  # the thread's own


def forget_gone_clusters() -> None:
    """Removes the heartbeats of clusters that have been silent for a week."""
    Heartbeat.objects.filter(at__lt=Now() - timedelta(days=7)).delete()


def _write(job: str, duration: float, outcome: str) -> None:
    Heartbeat.objects.update_or_create(
        job=job,
        host=settings.CLUSTER,
        defaults={"at": Now(), "duration": duration, "outcome": outcome[:500]},
    )
