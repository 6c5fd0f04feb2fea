import logging
from typing import Any

import django_q.cluster
from django_q.management.commands import qcluster

from sending import drain, lifeline, loops, schedules, watchdog

logger = logging.getLogger("sending")


class Command(qcluster.Command):
    """django-q2's command; it syncs the schedules, dispatches at once, and drains at its end."""

    help = "Runs the workers that send; `watchdog` runs it and starts it anew. Ends on SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        watchdog.tie_to_supervisor()
        schedules.sync()
        schedules.wake_up()
        django_q.cluster.Sentinel = drain.DrainingSentinel
        lifeline.tie_children()
        loops.share()
        logger.info("Email scheduler started")
        super().handle(*args, **options)
