from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.presets import Provider, Security
from accounts.querysets import SmtpAccountQuerySet
from accounts.secrets import SecretField


class SmtpAccount(models.Model):
    """One mailbox to send through, with the limit that it must never exceed."""

    name = models.CharField(max_length=100, help_text="What the team calls it.")
    provider = models.CharField(max_length=20, choices=Provider, default=Provider.CUSTOM)
    email = models.EmailField(help_text="The From address.")
    from_name = models.CharField(max_length=100, blank=True, help_text="The name beside the From address.")
    reply_to = models.EmailField(blank=True, help_text="Where replies go, when not to the From address.")
    host = models.CharField("SMTP host", max_length=253)
    port = models.PositiveIntegerField(
        "SMTP port", default=587, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    security = models.CharField(max_length=10, choices=Security, default=Security.STARTTLS)
    username = models.CharField(max_length=254, blank=True, help_text="Empty: no log-in.")
    password = SecretField(blank=True, default="", editable=False)
    daily_limit = models.PositiveIntegerField(
        default=100,
        validators=[MinValueValidator(1)],
        help_text="Most mails in any 24 hours, mail written by hand in the same mailbox not included.",
    )
    is_enabled = models.BooleanField("enabled", default=True)
    # Paused while there is a reason and paused_until is ahead or empty (empty: until mended).
    paused_until = models.DateTimeField(null=True, blank=True, editable=False)
    pause_reason = models.CharField(max_length=500, blank=True, editable=False)
    imap_host = models.CharField("IMAP host", max_length=253, blank=True)
    imap_port = models.PositiveIntegerField(
        "IMAP port", default=993, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SmtpAccountQuerySet.as_manager()

    class Meta:
        verbose_name = "SMTP account"
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="accounts_smtpaccount_email_once",
                violation_error_message="There is an account with this address already.",
            ),
            models.CheckConstraint(
                condition=models.Q(security__in=Security.values),
                name="accounts_smtpaccount_security_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_paused(self) -> bool:
        """Whether it is paused by this host's clock: for display. Dispatch asks Postgres."""
        return bool(self.pause_reason) and (
            self.paused_until is None or self.paused_until > timezone.now()
        )
