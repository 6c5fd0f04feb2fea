"""The schedules, declared once and synced after each migration and at each start of a cluster."""

from typing import Any

from django_q.models import Schedule
from django_q.tasks import async_task

# Six fields: seconds come last (croniter). django-q2 looks every 30 s, so this is each of its looks.
EVERY_30_SECONDS = "* * * * * */30"
EVERY_MINUTE = "* * * * *"
SCHEDULES = {
    "dispatch": EVERY_30_SECONDS,
    "retry": EVERY_30_SECONDS,
    "recover": EVERY_MINUTE,
}


def sync(**_: Any) -> None:
    """Makes django-q2's schedules what SCHEDULES says. Never touches next_run: no tick is lost."""
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
    Schedule.objects.filter(func__startswith="sending.jobs.").exclude(name__in=SCHEDULES).delete()


def wake_up() -> None:
    """Asks for a dispatch now, rather than at the next tick of the schedule."""
    async_task("sending.jobs.dispatch")
