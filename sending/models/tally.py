from django.db import models

from sending.models.queue import QueuedEmail


class Tally(models.Model):
    """Counts of queue rows: the sum of `count` by any of the three keys is exact, always.

    A trigger on the queue adds one row of differences per statement, so nobody waits for a counter
    row and no code can forget to count; the recover job adds the rows up.
    """

    campaign = models.ForeignKey(
        "campaigns.Campaign", on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    account = models.ForeignKey(
        "accounts.SmtpAccount",
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        db_index=False,
    )
    status = models.CharField(max_length=10, choices=QueuedEmail.Status)
    count = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.count:+} {self.status}"
