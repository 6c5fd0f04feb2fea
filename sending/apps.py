from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class SendingConfig(AppConfig):
    name = "sending"
    verbose_name = _("Sending")

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker, post_spawn, pre_execute

        from sending import checks, drain, schedules  # noqa: F401

        post_migrate.connect(schedules.sync, sender=self)
        post_spawn.connect(drain.on_worker_start)
        pre_execute.connect(drain.on_job_start)
        post_execute_in_worker.connect(drain.on_job_end)
