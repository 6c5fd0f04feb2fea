"""Filters of the queue and the ledger that neither scan nor count rows: their choices come from the
tally and their look-ups from an index or the newest rows."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.models import SmtpAccount
from accounts.words import number
from sending.campaign import campaign_model
from sending.models import QueuedEmail, SendLog, Tally

MOST_CAMPAIGNS = 30


class StatusFilter(admin.SimpleListFilter):
    """The states that queue rows are in, with how many."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        counts = dict(Tally.objects.values_list("status").annotate(n=Sum("count")))
        return [
            (value, f"{label} ({number(counts.get(value, 0))})")
            for value, label in QueuedEmail.Status.choices
            if counts.get(value) or value == self.value()
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(status=self.value()) if self.value() else queryset


class _IdFilter(admin.SimpleListFilter):
    """A filter by a foreign key's id."""

    parameter_name: str

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.value():
            return queryset
        try:
            return queryset.filter(**{self.parameter_name: int(self.value() or "")})
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error


class CampaignFilter(_IdFilter):
    """The campaigns that were queued last."""

    title = _("campaign")
    parameter_name = "campaign"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        queued = campaign_model().objects.filter(queued_at__isnull=False).order_by("-queued_at")
        return [(str(pk), name) for pk, name in queued.values_list("pk", "name")[:MOST_CAMPAIGNS]]


class AccountFilter(_IdFilter):
    """All accounts."""

    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(str(account.pk), str(account)) for account in SmtpAccount.objects.all()]


class OutcomeFilter(admin.SimpleListFilter):
    """The outcomes that an attempt can have."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return SendLog.Outcome.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(outcome=self.value()) if self.value() else queryset
