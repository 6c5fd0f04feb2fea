from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.phases import Phase
from accounts.words import moment
from sending.exporting.models import Export as Export
from sending.exporting.models import ExportChunk as ExportChunk
from sending.querysets import SendLogQuerySet


class Pacing(models.Model):
    """The one row of knobs. Read afresh by every job, so a change holds from the next batch on."""

    class Scope(models.TextChoices):
        ALL = "all", _lazy("All accounts together")
        ACCOUNT = "account", _lazy("Each account")

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    batch_size = models.PositiveIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text=_lazy("Most mails in a batch: what goes out at one go, over one account or several."),
    )
    batch_interval = models.FloatField(
        _lazy("batch interval (seconds)"),
        default=30,
        validators=[MinValueValidator(0.1), MaxValueValidator(86_400)],
        help_text=_lazy("Seconds from the start of one batch to the start of the next."),
    )
    delay = models.FloatField(
        _lazy("delay (seconds)"),
        default=2,
        validators=[MinValueValidator(0), MaxValueValidator(300)],
        help_text=_lazy("Seconds between two mails of a batch."),
    )
    jitter = models.FloatField(
        _lazy("jitter (seconds)"),
        default=0,
        validators=[MinValueValidator(0), MaxValueValidator(300)],
        help_text=_lazy("Up to so many seconds more, at random, between two mails."),
    )
    retry_interval = models.FloatField(
        _lazy("retry interval (seconds)"),
        default=300,
        validators=[MinValueValidator(0.1), MaxValueValidator(86_400)],
        help_text=_lazy("Seconds until a mail that was refused for the moment is tried again."),
    )
    max_retries = models.PositiveSmallIntegerField(
        default=3,
        validators=[MaxValueValidator(100)],
        help_text=_lazy("Most retries after the first attempt."),
    )
    scope = models.CharField(
        _lazy("the batch size holds for"), max_length=10, choices=Scope, default=Scope.ALL
    )

    class Meta:
        verbose_name = verbose_name_plural = _lazy("pacing")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="sending_pacing_one_row"),
            models.CheckConstraint(
                condition=Q(
                    batch_size__gte=1,
                    batch_interval__gt=0,
                    delay__gte=0,
                    jitter__gte=0,
                    retry_interval__gt=0,
                    scope__in=["all", "account"],
                ),
                name="sending_pacing_sane",
            ),
        ]

    def __str__(self) -> str:
        return _("%(batch_size)s mails every %(batch_interval)s s") % {
            "batch_size": self.batch_size,
            "batch_interval": f"{self.batch_interval:g}",
        }

    @classmethod
    def load(cls) -> "Pacing":
        """The knobs as they stand now."""
        pacing, _created = cls.objects.get_or_create(pk=1)
        return pacing


class Batch(models.Model):
    """Up to batch_size mails that one worker sends in order, while its lease lasts."""

    account = models.ForeignKey(
        "accounts.SmtpAccount", null=True, on_delete=models.PROTECT, help_text=_lazy("Empty: mixed.")
    )
    size = models.PositiveIntegerField()
    sent = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0, help_text=_lazy("Refused for good."))
    retried = models.PositiveIntegerField(
        _lazy("to be tried again"), default=0, db_default=0, help_text=_lazy("Refused for the moment.")
    )
    uncertain = models.PositiveIntegerField(
        default=0, db_default=0, help_text=_lazy("Nobody knew whether they were accepted.")
    )
    created = models.DateTimeField(db_default=Now())
    started = models.DateTimeField(null=True)
    finished = models.DateTimeField(null=True)
    lease = models.DateTimeField(help_text=_lazy("Until then it belongs to its worker."))
    token = models.UUIDField(null=True, help_text=_lazy("Names the worker; a new one at every start."))

    class Meta:
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
        "campaigns.Campaign", related_name="queued_emails", on_delete=models.PROTECT, db_index=False
    )
    contact = models.ForeignKey(
        "campaigns.Contact", related_name="queued_emails", null=True, on_delete=models.SET_NULL
    )
    email = models.EmailField(max_length=254)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    account = models.ForeignKey("accounts.SmtpAccount", null=True, on_delete=models.PROTECT, db_index=False)
    batch = models.ForeignKey(Batch, null=True, on_delete=models.PROTECT, db_index=False)
    position = models.PositiveIntegerField(null=True, help_text=_lazy("Its place in the batch, from 0."))
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True)
    # Both fixed when it is claimed for the first time, and the same in every attempt.
    message_id = models.CharField(_lazy("Message-ID"), max_length=320, blank=True, default="", db_default="")
    dated_at = models.DateTimeField(_lazy("Date"), null=True)
    queued_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    last_reply = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _lazy("queued email")
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


class SendLog(models.Model):
    """The ledger: one row per attempt, written before the next mail starts, never changed."""

    class Outcome(models.TextChoices):
        SENT = "sent", _lazy("Sent")
        FAILED = "failed", _lazy("Failed")
        RETRY = "retry", _lazy("Refused for the moment")
        UNCERTAIN = "uncertain", _lazy("Uncertain")
        RETURNED = "returned", _lazy("Returned to the queue")  # no fault of the mail: costs no attempt

    queued_email = models.ForeignKey(QueuedEmail, related_name="log", on_delete=models.PROTECT)
    batch = models.ForeignKey(Batch, null=True, on_delete=models.PROTECT, db_index=False)
    account = models.ForeignKey("accounts.SmtpAccount", on_delete=models.PROTECT, db_index=False)
    at = models.DateTimeField(db_default=Now())
    phase = models.CharField(max_length=10, choices=Phase)
    code = models.PositiveSmallIntegerField(null=True, help_text=_lazy("SMTP reply code (RFC 5321)."))
    enhanced_code = models.CharField(
        max_length=12, blank=True, help_text=_lazy("Enhanced status code (RFC 3463).")
    )
    text = models.CharField(max_length=500, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome)
    scope = models.CharField(
        max_length=10, blank=True, default="", db_default="", help_text=_lazy("Whom the reply is about.")
    )
    duration = models.FloatField(help_text=_lazy("Seconds from the start of the attempt to its end."))

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
        ]

    def __str__(self) -> str:
        return f"{self.get_outcome_display()}, {moment(self.at, seconds=True)}"


class SentFolderLook(models.Model):
    """One look for an uncertain mail in its account's Sent folder. Append-only; explains what came of it."""

    queued_email = models.ForeignKey(
        QueuedEmail, related_name="looks", on_delete=models.PROTECT, db_index=False
    )
    batch = models.ForeignKey(
        Batch,
        on_delete=models.PROTECT,
        db_index=False,
        help_text=_lazy("The one in which it became uncertain."),
    )
    at = models.DateTimeField(db_default=Now())
    found = models.BooleanField(null=True, help_text=_lazy("Empty: the folder could not be read."))
    problem = models.CharField(max_length=500, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _lazy("look in the Sent folder")
        verbose_name_plural = _lazy("looks in the Sent folder")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=(Q(found__isnull=True) & ~Q(problem="")) | Q(found__isnull=False, problem=""),
                name="sending_sentfolderlook_found_or_problem",
            ),
        ]
        indexes = [
            models.Index(fields=["queued_email", "batch"], name="sending_sentfolderlook_mail"),
        ]

    def __str__(self) -> str:
        if self.found is None:
            return self.problem
        return _("There: it was accepted.") if self.found else _("Not there.")


class TestMail(models.Model):
    """A campaign's mail that a person sent to oneself. It counts against the account's limits as any."""

    __test__ = False  # for pytest, which collects what is called so

    class Outcome(models.TextChoices):
        SENDING = (
            "sending",
            _lazy("Being sent"),
        )  # whoever sends it moves it on; if that dies it stays, and counts
        SENT = "sent", _lazy("Sent")  # final
        REFUSED = "refused", _lazy("Not accepted")  # final: it is proven, so it doesn't count
        UNCERTAIN = "uncertain", _lazy("Uncertain")  # final: it may have been accepted, so it counts

    account = models.ForeignKey("accounts.SmtpAccount", on_delete=models.PROTECT, db_index=False)
    campaign = models.ForeignKey(
        "campaigns.Campaign", related_name="test_mails", null=True, on_delete=models.SET_NULL
    )
    email = models.EmailField(_lazy("to"), max_length=254)
    sent_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    message_id = models.CharField("Message-ID", max_length=320)
    started_at = models.DateTimeField(_lazy("started"), db_default=Now())
    # While it is being sent the latest moment at which it can be handed over, then when its end was known.
    counts_at = models.DateTimeField(help_text=_lazy("When it counts in the windows of the limits."))
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.SENDING)
    phase = models.CharField(max_length=10, choices=Phase, blank=True)
    code = models.PositiveSmallIntegerField(null=True, help_text=_lazy("SMTP reply code (RFC 5321)."))
    enhanced_code = models.CharField(
        max_length=12, blank=True, help_text=_lazy("Enhanced status code (RFC 3463).")
    )
    text = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = _lazy("test email")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["sending", "sent", "refused", "uncertain"]),
                name="sending_testmail_outcome_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "counts_at"],
                condition=~Q(outcome="refused"),
                name="sending_testmail_used",
            ),
        ]

    def __str__(self) -> str:
        told = {"account": self.account, "outcome": self.get_outcome_display()}
        return _("Test over %(account)s: %(outcome)s") % told


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


class Suppression(models.Model):
    """An address that gets nothing more."""

    class Reason(models.TextChoices):
        UNSUBSCRIBED = "unsubscribed", _lazy("Unsubscribed")
        BOUNCED = "bounced", _lazy("Bounced")
        COMPLAINED = "complained", _lazy("Complained")
        MANUAL = "manual", _lazy("Entered by hand")

    email = models.EmailField(max_length=254)
    reason = models.CharField(max_length=20, choices=Reason, default=Reason.MANUAL)
    source = models.CharField(max_length=200, blank=True, help_text=_lazy("Where it comes from."))
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="sending_suppression_email_once",
                violation_error_message=_lazy("This address is suppressed already."),
            ),
        ]

    def __str__(self) -> str:
        return self.email


class Heartbeat(models.Model):
    """What a job last did in one cluster: the proof that this cluster is alive."""

    job = models.CharField(max_length=40)
    host = models.CharField(
        max_length=253, help_text=_lazy("The name of the cluster; its host's by default.")
    )
    at = models.DateTimeField()
    duration = models.FloatField(help_text=_lazy("Seconds."))
    outcome = models.CharField(max_length=500)

    class Meta:
        ordering = ["job", "host"]
        constraints = [
            models.UniqueConstraint(fields=["job", "host"], name="sending_heartbeat_one_a_cluster"),
        ]

    def __str__(self) -> str:
        return f"{self.job}, {moment(self.at, seconds=True)}"
