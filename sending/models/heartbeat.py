from django.db import models
from django.utils.translation import gettext_lazy as _lazy

from accounts.words import moment


class Heartbeat(models.Model):
    """What a job last did in one cluster: the proof that this cluster is alive."""

    job = models.CharField(_lazy("job"), max_length=40)
    host = models.CharField(
        _lazy("host"), max_length=253, help_text=_lazy("The name of the cluster; its host's by default.")
    )
    at = models.DateTimeField(_lazy("at"))
    duration = models.FloatField(_lazy("duration"), help_text=_lazy("Seconds."))
    outcome = models.CharField(_lazy("outcome"), max_length=500)

    class Meta:
        verbose_name = _lazy("heartbeat")
        verbose_name_plural = _lazy("heartbeats")
        ordering = ["job", "host"]
        constraints = [
            models.UniqueConstraint(fields=["job", "host"], name="sending_heartbeat_one_a_cluster"),
        ]

    def __str__(self) -> str:
        return f"{self.job}, {moment(self.at, seconds=True)}"
