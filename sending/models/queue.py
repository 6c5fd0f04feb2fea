from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy


class Batch(models.Model):
    """Up to batch_size mails that one worker sends in order, while its lease lasts."""

    account = models.ForeignKey(
        "accounts.SmtpAccount",
        verbose_name=_lazy("account"),
        null=True,
        on_delete=models.PROTECT,
        help_text=_lazy("Empty: mixed."),
    )
    size = models.PositiveIntegerField(_lazy("size"))
    sent = models.PositiveIntegerField(_lazy("sent"), default=0)
    failed = models.PositiveIntegerField(_lazy("failed"), default=0, help_text=_lazy("Refused for good."))
    retried = models.PositiveIntegerField(
        _lazy("to be tried again"), default=0, db_default=0, help_text=_lazy("Refused for the moment.")
    )
    uncertain = models.PositiveIntegerField(
        _lazy("uncertain"),
        default=0,
        db_default=0,
        help_text=_lazy("Nobody knew whether they were accepted."),
    )
    created = models.DateTimeField(_lazy("created"), db_default=Now())
    started = models.DateTimeField(_lazy("started"), null=True)
    finished = models.DateTimeField(_lazy("finished"), null=True)
    lease = models.DateTimeField(_lazy("lease"), help_text=_lazy("Until then it belongs to its worker."))
    token = models.UUIDField(
        _lazy("token"), null=True, help_text=_lazy("Names the worker; a new one at every start.")
    )

    class Meta:
        verbose_name = _lazy("batch")
        verbose_name_plural = _lazy("batches")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(started__isnull=True) | Q(token__isnull=False),
                name="sending_batch_started_has_token",
            ),
        ]
        indexes = [
            models.Index(fields=["lease"], condition=Q(finished=None), name="sending_batch_live"),
            models.Index(fields=["created"], name="sending_batch_created"),
            models.Index(fields=["account", "created"], name="sending_batch_account"),
        ]

    def __str__(self) -> str:
        return _("Batch %(pk)s") % {"pk": self.pk}


class QueuedEmail(models.Model):
    """One mail to one address. Narrow on purpose: what it says is made when it is sent."""

    class Status(models.TextChoices):
        PENDING = "pending", _lazy("Pending")  # dispatch claims it: sending; cancel: cancelled; suppressed
        SENDING = "sending", _lazy("Sending")  # settle or recover moves it on, by the ledger
        RETRY = "retry", _lazy("Waits for a retry")  # the retry job moves it to pending; cancel; suppressed
        UNCERTAIN = (
            "uncertain",
            _lazy("Uncertain"),
        )  # the Sent folder, a person or the account's rule moves it on
        SENT = "sent", _lazy("Sent")  # final
        FAILED = "failed", _lazy("Failed")  # final; "retry failed" moves it to pending
        CANCELLED = "cancelled", _lazy("Cancelled")  # final
        SUPPRESSED = "suppressed", _lazy("Suppressed")  # final

    FINAL = (Status.SENT, Status.FAILED, Status.CANCELLED, Status.SUPPRESSED)

    campaign = models.ForeignKey(
        "campaigns.Campaign",
        verbose_name=_lazy("campaign"),
        related_name="queued_emails",
        on_delete=models.PROTECT,
        db_index=False,
    )
    contact = models.ForeignKey(
        "campaigns.Contact",
        verbose_name=_lazy("contact"),
        related_name="queued_emails",
        null=True,
        on_delete=models.SET_NULL,
    )
    email = models.EmailField(_lazy("email"), max_length=254)
    status = models.CharField(_lazy("status"), max_length=10, choices=Status, default=Status.PENDING)
    account = models.ForeignKey(
        "accounts.SmtpAccount",
        verbose_name=_lazy("account"),
        null=True,
        on_delete=models.PROTECT,
        db_index=False,
    )
    batch = models.ForeignKey(
        Batch, verbose_name=_lazy("batch"), null=True, on_delete=models.PROTECT, db_index=False
    )
    position = models.PositiveIntegerField(
        _lazy("position"), null=True, help_text=_lazy("Its place in the batch, from 0.")
    )
    attempts = models.PositiveSmallIntegerField(_lazy("attempts"), default=0, db_default=0)
    next_attempt_at = models.DateTimeField(_lazy("next attempt at"), null=True)
    # Both fixed when it is claimed for the first time, and the same in every attempt.
    message_id = models.CharField(_lazy("Message-ID"), max_length=320, blank=True, default="", db_default="")
    dated_at = models.DateTimeField(_lazy("Date"), null=True)
    queued_at = models.DateTimeField(_lazy("queued at"), db_default=Now())
    finished_at = models.DateTimeField(_lazy("finished at"), null=True)
    last_reply = models.CharField(_lazy("last reply"), max_length=500, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _lazy("queued email")
        verbose_name_plural = _lazy("queued emails")
        ordering = ["id"]
        permissions = [("resolve_queuedemail", _lazy("Can say what became of an uncertain email"))]
        constraints = [
            models.UniqueConstraint(
                F("campaign"), Lower("email"), name="sending_queuedemail_once_a_campaign"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=[
                        "pending",
                        "sending",
                        "retry",
                        "uncertain",
                        "sent",
                        "failed",
                        "cancelled",
                        "suppressed",
                    ]
                ),
                name="sending_queuedemail_status_known",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=["sent", "failed", "cancelled", "suppressed"], finished_at__isnull=False
                )
                | Q(status__in=["pending", "sending", "retry", "uncertain"], finished_at__isnull=True),
                name="sending_queuedemail_finished_when_final",
            ),
            models.CheckConstraint(
                condition=Q(status="retry", next_attempt_at__isnull=False)
                | (~Q(status="retry") & Q(next_attempt_at__isnull=True)),
                name="sending_queuedemail_due_when_retry",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["sending", "uncertain"])
                | (
                    Q(account__isnull=False, batch__isnull=False, position__isnull=False)
                    & Q(dated_at__isnull=False)
                    & ~Q(message_id="")
                ),
                name="sending_queuedemail_claimed_is_whole",
            ),
            models.CheckConstraint(
                condition=~Q(status="pending") | Q(account__isnull=True, batch__isnull=True),
                name="sending_queuedemail_pending_is_free",
            ),
        ]
        indexes = [
            models.Index(fields=["campaign", "id"], condition=Q(status="pending"), name="sending_q_pending"),
            models.Index(fields=["next_attempt_at"], condition=Q(status="retry"), name="sending_q_retry"),
            models.Index(
                fields=["account"],
                condition=Q(status__in=["sending", "uncertain"]),
                name="sending_q_used",
            ),
            models.Index(
                fields=["batch", "position"],
                condition=Q(status__in=["sending", "uncertain"]),
                name="sending_q_batch",
            ),
            models.Index(fields=["campaign", "id"], condition=Q(status="failed"), name="sending_q_failed"),
            models.Index(
                fields=["status", "id"],
                condition=Q(status__in=["cancelled", "suppressed"]),
                name="sending_q_dropped",
            ),
            models.Index(fields=["message_id"], condition=~Q(message_id=""), name="sending_q_message_id"),
            # A campaign's recipients by state: the other states have an index above, or few rows.
            models.Index(
                fields=["campaign", "status", "id"],
                condition=Q(status__in=["sent", "cancelled", "suppressed", "retry"]),
                name="sending_q_campaign",
            ),
            # When a campaign's next one is due.
            models.Index(
                fields=["campaign", "next_attempt_at"],
                condition=Q(status="retry"),
                name="sending_q_campaign_retry",
            ),
        ]

    def __str__(self) -> str:
        return self.email


class UncertainEmail(QueuedEmail):
    """A queued email of which nobody knows whether it was accepted: as staff see and resolve it."""

    class Meta:
        proxy = True
        default_permissions = ()  # those of a queued email hold
        verbose_name = _lazy("uncertain email")
        verbose_name_plural = _lazy("uncertain emails")
