"""The schedules, declared once and synced after each migration and at each start of a cluster."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django_q.models import Schedule
from django_q.tasks import async_task

# Six fields: seconds come last (croniter). django-q2 looks every 30 s, so this is each of its looks.
EVERY_30_SECONDS = "* * * * * */30"
EVERY_MINUTE = "* * * * *"
OURS = r"^(accounts|campaigns|sending)\.jobs\."
FAR_AHEAD = timedelta(minutes=2)
# The dispatcher is called by each cluster's own pulse, too (sending.broker), whatever the hosts' clocks say.
SCHEDULES = {
    "dispatch": EVERY_30_SECONDS,
    "retry": EVERY_30_SECONDS,
    "recover": EVERY_MINUTE,
    "reconcile": EVERY_30_SECONDS,
    "tend_long_work": EVERY_30_SECONDS,
}


def sync(**_: Any) -> None:
    """Makes django-q2's schedules what SCHEDULES says.

    next_run stays as it is, so that no tick is lost.
    """
    for name, cron in SCHEDULES.items():
        Schedule.objects.update_or_create(
            name=name,
            defaults={
                "func": f"sending.jobs.{name}",
                "schedule_type": Schedule.CRON,
                "cron": cron,
                "repeats": -1,
                "args": None,
                "kwargs": None,
                "hook": None,
            },
        )
    bring_back()
    Schedule.objects.filter(func__regex=OURS).exclude(name__in=SCHEDULES).delete()  # an earlier version's


def bring_back() -> None:
    """Makes schedules due that lie far ahead: a host with a wrong clock put them there.

    While that host lives, it runs them; once it is gone, nobody would for as long as its clock was ahead.
    """
    ours = Schedule.objects.filter(name__in=SCHEDULES)
    ours.filter(next_run__gt=Now() + FAR_AHEAD).update(next_run=Now())


def wake_up() -> None:
    """Asks for a dispatch now, rather than at the next pulse of a cluster."""
    async_task("sending.jobs.dispatch")
