from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _lazy

from accounts.phases import Phase
from accounts.words import moment
from sending.models.queue import Batch, QueuedEmail
from sending.querysets import SendLogQuerySet


class SendLog(models.Model):
    """The ledger: one row per attempt, written before the next mail starts, never changed."""

    class Outcome(models.TextChoices):
        SENT = "sent", _lazy("Sent")
        FAILED = "failed", _lazy("Failed")
        RETRY = "retry", _lazy("Refused for the moment")
        UNCERTAIN = "uncertain", _lazy("Uncertain")
        RETURNED = "returned", _lazy("Returned to the queue")  # no fault of the mail: costs no attempt

    queued_email = models.ForeignKey(
        QueuedEmail, verbose_name=_lazy("queued email"), related_name="log", on_delete=models.PROTECT
    )
    batch = models.ForeignKey(
        Batch, verbose_name=_lazy("batch"), null=True, on_delete=models.PROTECT, db_index=False
    )
    account = models.ForeignKey(
        "accounts.SmtpAccount", verbose_name=_lazy("account"), on_delete=models.PROTECT, db_index=False
    )
    at = models.DateTimeField(_lazy("at"), db_default=Now())
    phase = models.CharField(_lazy("phase"), max_length=10, choices=Phase)
    code = models.PositiveSmallIntegerField(
        _lazy("code"), null=True, help_text=_lazy("SMTP reply code (RFC 5321).")
    )
    enhanced_code = models.CharField(
        _lazy("enhanced code"), max_length=12, blank=True, help_text=_lazy("Enhanced status code (RFC 3463).")
    )
    text = models.CharField(_lazy("text"), max_length=500, blank=True)
    outcome = models.CharField(_lazy("outcome"), max_length=10, choices=Outcome)
    scope = models.CharField(
        _lazy("scope"),
        max_length=10,
        blank=True,
        default="",
        db_default="",
        help_text=_lazy("Whom the reply is about."),
    )
    duration = models.FloatField(
        _lazy("duration"), help_text=_lazy("Seconds from the start of the attempt to its end.")
    )

    objects = SendLogQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("ledger row")
        verbose_name_plural = _lazy("ledger")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["batch", "queued_email"], name="sending_sendlog_one_attempt_a_batch"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["sent", "failed", "retry", "uncertain", "returned"]),
                name="sending_sendlog_outcome_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "at"],
                condition=Q(outcome__in=["sent", "uncertain"]),
                name="sending_sendlog_used",
            ),
            models.Index(fields=["at"], name="sending_sendlog_at"),
            models.Index(
                fields=["outcome", "id"],
                condition=Q(outcome__in=["failed", "retry", "uncertain", "returned"]),
                name="sending_sendlog_trouble",
            ),
            models.Index(
                fields=["at"],
                include=["outcome", "code", "enhanced_code"],
                condition=Q(outcome__in=["failed", "retry", "uncertain", "returned"]),
                name="sending_sendlog_trouble_at",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()}, {moment(self.at, seconds=True)}"
