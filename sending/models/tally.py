from django.db import models
from django.utils.translation import gettext_lazy as _lazy

from sending.models.queue import QueuedEmail


class Tally(models.Model):
    """Counts of queue rows: the sum of `count` by any of the three keys is exact, always.

    A trigger on the queue adds one row of differences per statement, so nobody waits for a counter
    row and no code can forget to count; the recover job adds the rows up.
    """

    campaign = models.ForeignKey(
        "campaigns.Campaign",
        verbose_name=_lazy("campaign"),
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    account = models.ForeignKey(
        "accounts.SmtpAccount",
        verbose_name=_lazy("account"),
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        db_index=False,
    )
    status = models.CharField(_lazy("status"), max_length=10, choices=QueuedEmail.Status)
    count = models.BigIntegerField(_lazy("count"))

    class Meta:
        verbose_name = _lazy("tally")
        verbose_name_plural = _lazy("tallies")

    def __str__(self) -> str:
        return f"{self.count:+} {self.status}"
