"""The queue, the ledger, batches and heartbeats to look at; suppressions to change."""

from typing import Any

import django_q.admin  # noqa: F401 - registers django-q2's admin, which background_jobs then replaces
from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.addresses import ascii_address
from accounts.columns import moment_column
from accounts.reply import as_said
from sending import background_jobs, suppression
from sending import pacing_admin as pacing_admin  # registers the pacing
from sending import uncertain_admin as uncertain_admin  # registers uncertain emails
from sending.exporting.admin import chosen, respond
from sending.filters import AccountFilter, CampaignFilter, OutcomeFilter, StatusFilter
from sending.lookup import mails_to
from sending.models import Batch, Heartbeat, QueuedEmail, SendLog, Suppression, TestMail
from sending.paginator import FirstRowsPaginator
from sending.read_only import LedgerInline, LooksInline, ReadOnly

background_jobs.restrict(admin.site)


def mails_that_match(term: str) -> QuerySet[QueuedEmail]:
    """Queue rows of exactly this address (in any case) or this Message-ID (with or without <>)."""
    found = [*mails_to(term).values_list("pk", flat=True), *mails_named(term).values_list("pk", flat=True)]
    return QueuedEmail.objects.filter(pk__in=found)


def mails_named(message_id: str) -> QuerySet[QueuedEmail]:
    """Queue rows of a Message-ID."""
    return QueuedEmail.objects.order_by().filter(message_id=f"<{message_id.strip().strip('<>')}>")


@admin.register(QueuedEmail)
class QueuedEmailAdmin(ReadOnly):
    list_display = ("email", "campaign", "status", "account", "last_reply")
    list_select_related = ("campaign", "account")
    list_filter = (StatusFilter, CampaignFilter, AccountFilter)
    search_fields = ("email", "message_id")
    search_help_text = _lazy("A whole address or Message-ID.")
    inlines = (LedgerInline, LooksInline)
    readonly_fields = ("note",)

    def get_fields(self, request: HttpRequest, obj: QueuedEmail | None = None) -> Any:
        """With a note on a mail that waits and will not be sent."""
        fields = super().get_fields(request, obj)
        return fields if obj and suppression.why_not_sent([obj]) else [f for f in fields if f != "note"]

    @admin.display(description=_lazy("note"))
    def note(self, mail: QueuedEmail) -> str:
        return capfirst(suppression.why_not_sent([mail])[mail.pk])

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """The order in which an index holds the rows of the state that was asked for."""
        by_campaign = request.GET.get("status") in ("pending", "failed")
        return ("campaign_id", "id") if by_campaign else ("id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        return queryset & mails_that_match(search_term), False


@admin.register(SendLog)
class SendLogAdmin(ReadOnly):
    list_display = ("moment", "queued_email", "account", "outcome", "reply")
    list_display_links = ("moment",)
    list_select_related = ("queued_email", "account")
    list_filter = (OutcomeFilter, AccountFilter)
    search_fields = ("queued_email__email", "queued_email__message_id")
    search_help_text = _lazy("A whole address or Message-ID.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if not search_term.strip():
            return queryset, False
        mails = list(mails_that_match(search_term).values_list("pk", flat=True))
        return queryset.filter(queued_email__in=mails), False

    moment = moment_column("at", _lazy("at"), seconds=True)

    @admin.display(description=_lazy("reply"))
    def reply(self, row: SendLog) -> str:
        said = as_said(row.code, row.enhanced_code, row.text)
        return f"{row.get_phase_display()}: {said}" if said else row.get_phase_display()


@admin.register(TestMail)
class TestMailAdmin(ReadOnly):
    """What people sent to themselves, and what became of it."""

    list_display = ("moment", "email", "campaign", "account", "outcome", "reply", "sent_by")
    list_select_related = ("campaign", "account", "sent_by")
    list_filter = (AccountFilter,)
    moment = moment_column("started_at", _lazy("started"), seconds=True)

    @admin.display(description=_lazy("reply"))
    def reply(self, mail: TestMail) -> str:
        return as_said(mail.code, mail.enhanced_code, mail.text)


@admin.register(Batch)
class BatchAdmin(ReadOnly):
    list_display = (
        "id", "account", "size", "sent", "failed", "retried", "uncertain", "was_created", "was_started",
        "was_finished",
    )  # fmt: skip
    list_select_related = ("account",)
    list_filter = (AccountFilter,)
    was_created = moment_column("created", _lazy("created"), seconds=True)
    was_started = moment_column("started", _lazy("started"), seconds=True)
    was_finished = moment_column("finished", _lazy("finished"), seconds=True)


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnly):
    list_display = ("job", "host", "moment", "duration", "outcome")
    moment = moment_column("at", _lazy("at"), seconds=True)


class SuppressionForm(forms.ModelForm):
    """Keeps an address as contacts keep theirs, so that it is known again."""

    def clean_email(self) -> str:
        try:
            return ascii_address(self.cleaned_data["email"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Suppression)
class SuppressionAdmin(admin.ModelAdmin):
    """Addresses that get nothing more: to add, to find, to take off the list."""

    list_display = ("email", "reason", "source", "since")
    since = moment_column("at", _lazy("since"))
    list_filter = ("reason",)
    search_fields = ("email",)
    fields = ("email", "reason", "source")
    show_full_result_count = False
    paginator = FirstRowsPaginator
    form = SuppressionForm
    actions = ("export",)
    change_list_template = "admin/sending/suppression/change_list.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        return suppression.search(queryset, search_term), False

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        """The list; what to do where there is nothing on it yet."""
        is_empty = not Suppression.objects.exists()
        return super().changelist_view(request, {**(extra_context or {}), "is_empty": is_empty})

    @admin.action(description=_lazy("Export as CSV"), permissions=["view"])
    def export(self, request: HttpRequest, suppressions: QuerySet[Suppression]) -> HttpResponseBase:
        """Downloads the chosen addresses, with why and since when."""
        wanted = chosen(request, suppressions, {"reason__exact": "reason", "q": "words"})
        title = _("Suppression list")
        return respond(request, "suppressions", wanted, title=title, filename="suppressions.csv")

    def has_change_permission(self, request: HttpRequest, obj: Suppression | None = None) -> bool:
        return False
