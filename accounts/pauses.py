"""The history of an account's pauses: a row for each, which PostgreSQL keeps itself."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

LONGEST_REASON = 500


class AccountPause(models.Model):
    """One pause of an account. A trigger on the account's row writes it, so no code path forgets one.

    It begins when a reason appears. Another reason ends it and begins the next one; the same reason with
    another end goes on in the same row. Only who ended it is written by code: accounts.actions.
    """

    class How(models.TextChoices):
        """What ended a pause; empty while it lasts, and where its time ran out and nothing came after."""

        TIME = "time", _lazy("Its time was up")
        RESUMED = "resumed", _lazy("Resumed")
        MENDED = "mended", _lazy("A check of the connection worked")
        REPLACED = "replaced", _lazy("Another pause took its place")

    account = models.ForeignKey(
        "accounts.SmtpAccount",
        verbose_name=_lazy("account"),
        related_name="pauses",
        on_delete=models.CASCADE,
        db_index=False,
    )
    reason = models.CharField(_lazy("reason"), max_length=LONGEST_REASON)
    began_at = models.DateTimeField(_lazy("began at"))
    until = models.DateTimeField(
        _lazy("until"), null=True, help_text=_lazy("When it was to end by itself. Empty: when mended.")
    )
    ended_at = models.DateTimeField(_lazy("ended at"), null=True)
    ended_how = models.CharField(
        _lazy("what ended it"), max_length=10, choices=How, blank=True, default="", db_default=""
    )
    ended_by = models.CharField(
        _lazy("who ended it"), max_length=150, blank=True, default="", db_default="", help_text=_lazy("Who.")
    )

    class Meta:
        verbose_name = _lazy("pause")
        verbose_name_plural = _lazy("pauses")
        default_permissions = ()  # those of the account hold
        ordering = ["-began_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(ended_at=None), name="accounts_accountpause_one_open"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_how="") | Q(ended_at__isnull=False) & ~Q(ended_how=""),
                name="accounts_accountpause_end_whole",
            ),
        ]
        indexes = [models.Index(fields=["account", "-began_at"], name="accounts_accountpause_newest")]

    def __str__(self) -> str:
        return self.reason

    @property
    def over_at(self) -> datetime | None:
        """When it ended, by itself or otherwise; None while it lasts (by this host's clock: for display)."""
        if self.ended_at is None and self.until is not None and self.until <= timezone.now():
            return self.until
        return self.ended_at

    @property
    def end(self) -> str:
        """What ended it and who, in words; "" while it lasts."""
        if self.over_at is None:
            return ""
        how = self.How(self.ended_how or self.How.TIME).label
        return _("%(how)s: %(who)s") % {"how": how, "who": self.ended_by} if self.ended_by else str(how)
