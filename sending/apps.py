from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class SendingConfig(AppConfig):
    name = "sending"
    verbose_name = _("Sending")

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker, post_spawn, pre_execute

        from accounts import mailboxes
        from sending import capacity, checks, drain, schedules, suppression, uncertain  # noqa: F401
        from sending.exporting import actions, sources
        from sending.exporting.models import Export
        from sending.longwork import running

        mailboxes.sent_lately.connect(capacity.has_sent_lately)
        mailboxes.looked_into.connect(uncertain.is_looked_for)
        post_migrate.connect(schedules.sync, sender=self)
        post_spawn.connect(drain.on_worker_start)
        pre_execute.connect(drain.on_job_start)
        post_execute_in_worker.connect(drain.on_job_end)
        running.declare(
            running.Kind(Export, actions.run, actions.GIVEN_UP, actions.FAILED, tidy=actions.remove_old)
        )
        sources.declare(
            "suppressions",
            sources.Source(("sending.view_suppression",), suppression.chosen, suppression.table),
        )
