from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.phases import Phase


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

    account = models.ForeignKey(
        "accounts.SmtpAccount", verbose_name=_lazy("account"), on_delete=models.PROTECT, db_index=False
    )
    campaign = models.ForeignKey(
        "campaigns.Campaign",
        verbose_name=_lazy("campaign"),
        related_name="test_mails",
        null=True,
        on_delete=models.SET_NULL,
    )
    email = models.EmailField(_lazy("to"), max_length=254)
    sent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_lazy("sent by"), null=True, on_delete=models.SET_NULL
    )
    message_id = models.CharField(_lazy("Message-ID"), max_length=320)
    started_at = models.DateTimeField(_lazy("started"), db_default=Now())
    # While it is being sent the latest moment at which it can be handed over, then when its end was known.
    counts_at = models.DateTimeField(
        _lazy("counts at"), help_text=_lazy("When it counts in the windows of the limits.")
    )
    outcome = models.CharField(_lazy("outcome"), max_length=10, choices=Outcome, default=Outcome.SENDING)
    phase = models.CharField(_lazy("phase"), max_length=10, choices=Phase, blank=True)
    code = models.PositiveSmallIntegerField(
        _lazy("code"), null=True, help_text=_lazy("SMTP reply code (RFC 5321).")
    )
    enhanced_code = models.CharField(
        _lazy("enhanced code"), max_length=12, blank=True, help_text=_lazy("Enhanced status code (RFC 3463).")
    )
    text = models.CharField(_lazy("text"), max_length=500, blank=True)

    class Meta:
        verbose_name = _lazy("test email")
        verbose_name_plural = _lazy("test emails")
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
