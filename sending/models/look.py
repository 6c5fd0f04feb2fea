from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from sending.models.queue import Batch, QueuedEmail


class SentFolderLook(models.Model):
    """One look for an uncertain mail in its account's Sent folder. Append-only; explains what came of it."""

    queued_email = models.ForeignKey(
        QueuedEmail,
        verbose_name=_lazy("queued email"),
        related_name="looks",
        on_delete=models.PROTECT,
        db_index=False,
    )
    batch = models.ForeignKey(
        Batch,
        verbose_name=_lazy("batch"),
        on_delete=models.PROTECT,
        db_index=False,
        help_text=_lazy("The one in which it became uncertain."),
    )
    at = models.DateTimeField(_lazy("at"), db_default=Now())
    found = models.BooleanField(
        _lazy("found"), null=True, help_text=_lazy("Empty: the folder could not be read.")
    )
    problem = models.CharField(
        _lazy("problem"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        help_text=_lazy("Why it could not be read, or why that the mail is not there proves nothing."),
    )

    class Meta:
        verbose_name = _lazy("look in the Sent folder")
        verbose_name_plural = _lazy("looks in the Sent folder")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=(Q(found__isnull=True) & ~Q(problem=""))
                | Q(found=True, problem="")
                | Q(found=False),
                name="sending_sentfolderlook_found_or_problem",
            ),
        ]
        indexes = [
            models.Index(fields=["queued_email", "batch"], name="sending_sentfolderlook_mail"),
        ]

    def __str__(self) -> str:
        if self.problem:
            return self.problem
        return _("There: it was accepted.") if self.found else _("Not there.")
