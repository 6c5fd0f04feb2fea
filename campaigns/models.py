from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Lower

from accounts.models import SmtpAccount
from campaigns import templating


class Contact(models.Model):
    """A person who can be written to. `attributes` holds the merge fields, by name."""

    email = models.EmailField(max_length=254, validators=[validate_email])
    name = models.CharField(max_length=200, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="campaigns_contact_email_once",
                violation_error_message="There is a contact with this address already.",
            ),
        ]

    def __str__(self) -> str:
        return self.email


class ContactList(models.Model):
    """Contacts who belong together."""

    name = models.CharField(max_length=200, unique=True)
    contacts = models.ManyToManyField(Contact, related_name="lists", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Campaign(models.Model):
    """One message to the contacts of some lists."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"  # queue_campaign moves it to sending
        SENDING = "sending", "Sending"  # its queue rows say how far; pause and cancel move it on
        PAUSED = "paused", "Paused"  # resume moves it to sending
        CANCELLED = "cancelled", "Cancelled"  # for good

    name = models.CharField(max_length=200, unique=True)
    subject = models.CharField(max_length=500, help_text="May hold merge fields: {{ first_name }}.")
    html = models.TextField("HTML", blank=True)
    text = models.TextField(blank=True, help_text="Empty: made from the HTML.")
    lists = models.ManyToManyField(ContactList, related_name="campaigns", blank=True)
    accounts = models.ManyToManyField(
        SmtpAccount, related_name="campaigns", blank=True, help_text="None chosen: all of them."
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    pause_reason = models.CharField(max_length=500, blank=True, editable=False)
    scheduled_at = models.DateTimeField(null=True, blank=True, help_text="Nothing goes out before this time.")
    queued_at = models.DateTimeField(null=True, editable=False)
    # Its place in the order of sending once somebody moved it: as if it had been queued then.
    place_at = models.DateTimeField(null=True, editable=False)
    queued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        permissions = [("send_campaign", "Can queue, pause, resume, cancel and retry a campaign")]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="draft") | Q(queued_at__isnull=False),
                name="campaigns_campaign_queued_once_it_left_draft",
            ),
        ]
        indexes = [
            # The dispatcher asks for these every few seconds, in this order.
            models.Index(
                Coalesce("place_at", "queued_at"),
                "id",
                condition=Q(status="sending"),
                name="campaigns_campaign_sending",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_editable(self) -> bool:
        """Whether the message may change: not while it goes out, nor after the end.

        In a paused campaign it may: a mistake noticed half-way can be mended for the rest.
        """
        return self.status in (self.Status.DRAFT, self.Status.PAUSED)

    def clean(self) -> None:
        """Every part must be a template that works; the error stands on the part, with its line."""
        if not self.is_editable:
            return
        errors = {}
        for part in ("subject", "html", "text"):
            try:
                templating.validate(getattr(self, part))
            except templating.TemplateError as error:
                errors[part] = str(error)[:1].upper() + str(error)[1:]
        if not (self.html.strip() or self.text.strip() or "html" in errors):
            errors["html"] = "Write the message: its HTML, its text, or both."
        if errors:
            raise ValidationError(errors)


class Attachment(models.Model):
    """A file that goes out with a campaign. Kept in Postgres, where every host can read it."""

    campaign = models.ForeignKey(Campaign, related_name="attachments", on_delete=models.CASCADE)
    filename = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    content = models.BinaryField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.filename
