from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class LongWork(models.Model):
    """Something that takes a worker long. A person asks for it, follows it, and may cancel it.

    A subclass has a `state`, one of which is "refused" and one "cancelled", and tells which of them are
    a worker's (IN_WORK) and which final (FINAL). Its Meta takes rules() and its index in_work().
    """

    IN_WORK: tuple[Any, ...] = ("working",)
    FINAL: tuple[Any, ...] = ("done", "refused", "cancelled")

    class State(models.TextChoices):
        WORKING = "working", _("At work")  # a worker: done, refused; a person: cancelled
        DONE = "done", _("Done")  # final
        REFUSED = "refused", _("Refused")  # final: nothing was changed
        CANCELLED = "cancelled", _("Cancelled")  # final: nothing was changed

    refusal = models.CharField(_("refusal"), max_length=1000, blank=True)
    rows_done = models.PositiveIntegerField(_("rows done"), default=0)
    percent = models.PositiveSmallIntegerField(_("percent"), default=0)
    attempts = models.PositiveSmallIntegerField(
        _("attempts"), default=0, help_text=_("How often a worker began this step.")
    )
    # A worker holds it while the lease lasts. The slot is 1 then and unique.
    slot = models.PositiveSmallIntegerField(_("slot"), null=True, unique=True)
    token = models.UUIDField(_("token"), null=True)
    lease = models.DateTimeField(_("lease"), null=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("created by"), null=True, on_delete=models.SET_NULL
    )
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        abstract = True

    @property
    def is_in_work(self) -> bool:
        """Whether the next step is a worker's, and not a person's."""
        return getattr(self, "state") in self.IN_WORK  # noqa: B009 - the subclass' field


class FilePiece(models.Model):
    """A piece of a file. Kept in Postgres, where a worker on any host can read it.

    A subclass has `of`, the row whose file it is, with related_name="chunks".
    """

    number = models.PositiveIntegerField(_("number"))
    content = models.BinaryField(_("content"))

    class Meta:
        abstract = True


def rules(
    table: str, in_work: Sequence[str] = ("working",), opened: Sequence[str] = ("working",)
) -> list[models.CheckConstraint]:
    """The constraints of a kind of long work. opened: all states that are not final."""
    final = ["done", "refused", "cancelled"]
    return [
        models.CheckConstraint(
            condition=Q(slot=1, token__isnull=False, lease__isnull=False, state__in=list(in_work))
            | Q(slot__isnull=True, token__isnull=True, lease__isnull=True),
            name=f"{table}_held_in_work",
        ),
        models.CheckConstraint(
            condition=Q(state__in=final, finished_at__isnull=False)
            | Q(state__in=list(opened), finished_at__isnull=True),
            name=f"{table}_finished_when_final",
        ),
    ]


def in_work(table: str, states: Sequence[str] = ("working",)) -> models.Index:
    """The index by which workers and pages find what is in work."""
    return models.Index(fields=["id"], condition=Q(state__in=list(states)), name=f"{table}_in_work")
