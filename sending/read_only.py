"""Tables of the admin that are only looked at: the large ones, and what happened to a mail."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.columns import moment_column
from accounts.words import number
from sending.models import SendLog, SentFolderLook
from sending.paginator import MOST, FirstRowsPaginator


class ReadOnly(admin.ModelAdmin):
    """A table that grows to millions of rows: to look at, quickly, and to change nowhere."""

    actions: Any = None
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = FirstRowsPaginator
    list_per_page = 50
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        """The list; where it ends before all that matches, its title says so."""
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None) or {}
        if "cl" in context and context["cl"].result_count >= MOST:
            told = {"name": capfirst(self.opts.verbose_name_plural), "most": number(MOST)}
            context["title"] = _("%(name)s: the first %(most)s that match") % told
        return response


class _OnlyLookedAt(admin.TabularInline):
    """Rows that are part of what a mail's page tells: seen by whoever sees that page."""

    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LedgerInline(_OnlyLookedAt):
    """What happened to this mail, attempt by attempt."""

    model = SendLog
    fields = ("moment", "account", "outcome", "phase", "code", "enhanced_code", "text", "took")
    readonly_fields = fields
    verbose_name_plural = _lazy("attempts")
    moment = moment_column("at", _lazy("at"), seconds=True)

    @admin.display(description=_lazy("duration"))
    def took(self, log: SendLog) -> str:
        return _("%(seconds)s s") % {"seconds": number_format(log.duration, 2)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[SendLog]:
        return super().get_queryset(request).select_related("account").order_by("id")


class LooksInline(_OnlyLookedAt):
    """How often it was looked for in the Sent folder while it was uncertain, and what came of it."""

    model = SentFolderLook
    fields = ("moment", "result")
    readonly_fields = fields
    moment = moment_column("at", _lazy("at"), seconds=True)

    @admin.display(description=_lazy("result"))
    def result(self, look: SentFolderLook) -> str:
        return str(look)
