"""What tests do as a worker does long work, or dies of it."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from sending.longwork import running


def claim() -> tuple[running.Kind, Any]:
    """What waits longest, in the hand of a worker that has not begun."""
    claimed = running._claim()
    assert claimed is not None
    return claimed


def lapse(work: Any) -> None:
    """Its worker has shown no life for longer than its lease."""
    type(work).objects.filter(pk=work.pk).update(lease=Now() - timedelta(seconds=1))


def begin_three_times(work: Any) -> None:
    """Three workers died of it."""
    for _ in range(running.MOST_ATTEMPTS):
        claim()
        lapse(work)
