"""django-q2's broker over PostgreSQL, with a pulse: proof that a cluster's inner queue still moves."""

import logging
import time
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.conf import Conf
from django_q.signing import SignedPackage

from sending import schedules
from sending.database import AWAY

logger = logging.getLogger("sending")


class PulsingBroker(ORM):
    """Adds a task of its own to what the pusher gets, for this cluster's workers alone.

    The jobs that wake a cluster go to whichever is quicker, so a healthy one may not get any for
    long. The pulse goes the whole way: pusher, inner queue, worker, database.
    """

    _pulsed_at = float("-inf")

    def dequeue(self) -> list[tuple[int | None, str]]:
        """Pairs of a queue row's id and its payload; the pulse has no row to acknowledge."""
        try:
            if is_pulse_due := time.monotonic() - self._pulsed_at >= settings.PULSE_EVERY:
                schedules.bring_back()
            tasks = super().dequeue() or []
        except AWAY as error:
            # django-q2's pusher would sleep for 10 s and die: so long nothing could be sent, or ended.
            logger.warning("The database is away: %s", type(error).__name__)
            connections[Conf.ORM].close()
            time.sleep(1)
            return []
        if not is_pulse_due:
            return tasks
        self._pulsed_at = time.monotonic()
        return [*tasks, (None, SignedPackage.dumps(_pulse()))]

    def hand_on(self, tasks: list[int]) -> None:
        """Makes tasks (queue rows) that nobody began due again at once, for whichever cluster comes.

        Without the database they are so when their time is up (Q_CLUSTER's retry).
        """
        try:
            self.get_connection().filter(pk__in=tasks).update(lock=Now())
        except AWAY as error:
            logger.warning("Tasks could not be handed on: %s", type(error).__name__)


def _pulse() -> dict[str, Any]:
    return {
        "id": uuid4().hex,
        "name": "pulse",
        "func": "sending.jobs.pulse",
        "args": (),
        "kwargs": {},
        "started": timezone.now(),
        "save": False,
    }
