from typing import Any

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.functions import Coalesce, Concat, Lower
from django.utils.translation import gettext_lazy as _

from accounts.models import SmtpAccount
from campaigns import templating
from sending.longwork.models import FilePiece, LongWork, in_work, rules
from sending.models import Suppression


def contact_words() -> SearchVector:
    """The words of a contact's address and name, as the index holds them: of “anna@x.org” anna, x and org.

    PostgreSQL's parser would keep an address, a host name or a path as one word.
    """
    separators = "@.-_+/'&:"
    both = Concat("email", Value(" "), "name")
    return SearchVector(
        Func(both, Value(separators), Value(" " * len(separators)), function="translate"), config="simple"
    )


class Contact(models.Model):
    """A person who can be written to. `attributes` holds the merge fields, by name."""

    email = models.EmailField(_("email"), max_length=254, validators=[validate_email])
    name = models.CharField(_("name"), max_length=200, blank=True)
    attributes = models.JSONField(_("merge fields"), default=dict, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="campaigns_contact_email_once",
                violation_error_message=_("There is a contact with this address already."),
            ),
        ]
        indexes = [GinIndex(contact_words(), name="campaigns_contact_words")]

    def __str__(self) -> str:
        return self.email


class ContactList(models.Model):
    """Contacts who belong together."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    contacts = models.ManyToManyField(Contact, verbose_name=_("contacts"), related_name="lists", blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("contact list")
        verbose_name_plural = _("contact lists")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Campaign(models.Model):
    """One message to the contacts of some lists."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")  # queued at once: sending; where they are many: queueing
        QUEUEING = "queueing", _("Being queued")  # a worker moves it to sending; cancelled: draft
        SENDING = "sending", _("Sending")  # its queue rows say how far; pause and cancel move it on
        PAUSED = "paused", _("Paused")  # resume moves it to sending
        CANCELLED = "cancelled", _("Cancelled")  # for good

    name = models.CharField(_("name"), max_length=200, unique=True)
    subject = models.CharField(
        _("subject"), max_length=500, help_text=_("May hold merge fields: {{ first_name }}.")
    )
    html = models.TextField(_("HTML"), blank=True)
    text = models.TextField(_("text"), blank=True, help_text=_("Empty: made from the HTML."))
    lists = models.ManyToManyField(ContactList, verbose_name=_("lists"), related_name="campaigns", blank=True)
    accounts = models.ManyToManyField(
        SmtpAccount,
        verbose_name=_("accounts"),
        related_name="campaigns",
        blank=True,
        help_text=_("None chosen: all of them."),
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status, default=Status.DRAFT, editable=False
    )
    pause_reason = models.CharField(_("pause reason"), max_length=500, blank=True, editable=False)
    scheduled_at = models.DateTimeField(
        _("scheduled at"), null=True, blank=True, help_text=_("Nothing goes out before this time.")
    )
    queued_at = models.DateTimeField(_("queued at"), null=True, editable=False)
    # Its place in the order of sending once somebody moved it: as if it had been queued then.
    place_at = models.DateTimeField(_("place in the order"), null=True, editable=False)
    queued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("queued by"),
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-created_at"]
        permissions = [("send_campaign", _("Can queue, pause, resume, cancel and retry a campaign"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["draft", "queueing"]) | Q(queued_at__isnull=False),
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
        errors: dict[str, Any] = {}
        for part in ("subject", "html", "text"):
            try:
                templating.validate(getattr(self, part))
            except templating.TemplateError as error:
                errors[part] = str(error)[:1].upper() + str(error)[1:]
        if not (self.html.strip() or self.text.strip() or "html" in errors):
            errors["html"] = _("Write the message: its HTML, its text, or both.")
        if errors:
            raise ValidationError(errors)


class Queueing(LongWork):
    """A campaign with many recipients on its way into the queue. A worker does it; staff follow it."""

    campaign = models.ForeignKey(
        Campaign,
        verbose_name=_("campaign"),
        related_name="queueings",
        on_delete=models.CASCADE,
        db_index=False,
    )
    expected = models.PositiveIntegerField(_("expected"), help_text=_("Recipients, when it was asked for."))
    state = models.CharField(
        _("state"), max_length=10, choices=LongWork.State, default=LongWork.State.WORKING
    )

    class Meta:
        verbose_name = _("queueing")
        verbose_name_plural = _("queueings")
        ordering = ["-id"]
        constraints = [
            *rules("campaigns_queueing"),
            models.UniqueConstraint(
                fields=["campaign"], condition=Q(state="working"), name="campaigns_queueing_once_at_a_time"
            ),
        ]
        indexes = [
            in_work("campaigns_queueing"),
            models.Index(fields=["campaign", "id"], name="campaigns_queueing_campaign"),
        ]

    def __str__(self) -> str:
        return f"Queueing {self.pk}"


class Attachment(models.Model):
    """A file that goes out with a campaign. Kept in Postgres, where every host can read it."""

    campaign = models.ForeignKey(
        Campaign, verbose_name=_("campaign"), related_name="attachments", on_delete=models.CASCADE
    )
    filename = models.CharField(_("file name"), max_length=200)
    content_type = models.CharField(_("content type"), max_length=100)
    content = models.BinaryField(_("content"))

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.filename


class Import(LongWork):
    """A file on its way into a list, or onto the suppression list. Staff follow it; a worker does it."""

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("Columns to be chosen")  # a person says what they hold: checking
        CHECKING = "checking", _("Being checked")  # the worker: checked, refused; a person: cancelled
        CHECKED = "checked", _("Checked")  # a person: importing, checking (other columns), cancelled
        IMPORTING = "importing", _("Being imported")  # the worker: done, refused; a person: cancelled
        DONE = "done", _("Imported")  # final
        REFUSED = "refused", _("Refused")  # final: nothing was changed
        CANCELLED = "cancelled", _("Cancelled")  # final: nothing was changed

    IN_WORK = (State.CHECKING, State.IMPORTING)

    filename = models.CharField(_("file name"), max_length=200)
    size = models.BigIntegerField(_("size"), help_text=_("Bytes."))
    list_name = models.CharField(_("list"), max_length=200, blank=True)
    reason = models.CharField(
        _("reason"),
        max_length=20,
        choices=Suppression.Reason,
        blank=True,
        help_text=_("Set: onto the suppression list."),
    )
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.UPLOADED)
    sample = models.JSONField(_("sample"))  # importing.action.Sample
    fields = models.JSONField(
        _("fields"), default=list, help_text=_("What each column fills, in the file's order.")
    )
    report = models.JSONField(_("report"), default=dict)  # importing.report.ImportReport

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(list_name="") & Q(reason="") | Q(list_name="") & ~Q(reason=""),
                name="campaigns_import_list_or_reason",
            ),
            *rules(
                "campaigns_import",
                in_work=["checking", "importing"],
                opened=["uploaded", "checking", "checked", "importing"],
            ),
        ]
        indexes = [in_work("campaigns_import", ["checking", "importing"])]

    def __str__(self) -> str:
        return self.filename

    @property
    def target(self) -> str:
        """Where its rows go, as a person calls it."""
        return self.list_name or str(_("Suppression list"))

    @property
    def columns(self) -> list[dict[str, Any]]:
        """The columns in the file's order, {index, header, field}, as they are mapped now."""
        found = self.sample["columns"]
        return (
            [{**column, "field": self.fields[column["index"]]} for column in found] if self.fields else found
        )


class ImportChunk(FilePiece):
    of = models.ForeignKey(
        Import, verbose_name=_("import"), related_name="chunks", on_delete=models.CASCADE, db_index=False
    )

    class Meta:
        verbose_name = _("import chunk")
        verbose_name_plural = _("import chunks")
        constraints = [
            models.UniqueConstraint(fields=["of", "number"], name="campaigns_importchunk_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.of_id}: {self.number}"
