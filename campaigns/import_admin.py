"""The staff screens of imports: upload, choose the columns, look at the check, start, follow, look back."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.columns import moment_column
from accounts.words import number
from campaigns import import_actions
from campaigns.actions import Refused
from campaigns.import_forms import ColumnsForm, ListUploadForm, SuppressionUploadForm
from campaigns.importing.action import refused_rows
from campaigns.importing.refusal import ImportRefused
from campaigns.models import ContactList, Import
from sending import csv_export
from sending.longwork import showing
from sending.longwork.files import kept_file

IMPORT_PERMISSIONS = ["campaigns.add_contact", "campaigns.change_contact", "campaigns.change_contactlist"]
SUPPRESS_PERMISSIONS = ["sending.add_suppression"]
PAGE = "admin/campaigns/import/page.html"
PROGRESS = "admin/campaigns/import/progress.html"
# What the page says first of a state that no worker has to end: tone, lead, and what to do.
TOLD = {
    "uploaded": (
        "",
        _("Say what the columns hold."),
        _("Nothing is imported before you have seen the check."),
    ),
    "checked": ("", _("The file was checked."), _("This is what the import would do.")),
    "done": ("good", _("The file was imported."), ""),
    "refused": ("bad", _("The file was refused, and nothing was changed."), ""),
    "cancelled": ("", _("The import was cancelled, and nothing was changed."), ""),
}
SHOWN_ROWS = 50  # refused and duplicate rows on the page


def may_import(request: HttpRequest) -> bool:
    """An import adds and changes contacts, and puts them into a list."""
    return request.user.has_perms(IMPORT_PERMISSIONS)


def may_suppress(request: HttpRequest) -> bool:
    """Whether the person may put addresses onto the suppression list."""
    return request.user.has_perms(SUPPRESS_PERMISSIONS)


def may_run(request: HttpRequest, imported: Import) -> bool:
    """Whether the person may go on with this import."""
    return may_suppress(request) if imported.reason else may_import(request)


@admin.register(Import)
class ImportAdmin(admin.ModelAdmin):
    """Past imports, and a page for each, which shows the step that it is at."""

    list_display = ["filename", "into", "state_told", "outcome", "created_by", "created"]
    list_select_related = ["created_by"]
    list_display_links = ["filename"]
    list_filter = ["state"]
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    list_per_page = 50
    sortable_by = ()
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_import(request) or may_suppress(request)

    def has_change_permission(self, request: HttpRequest, obj: Import | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Import | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("sample")

    def get_urls(self) -> list[URLPattern]:
        def at(steps: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            return path(
                f"<int:pk>/{steps}/", self.admin_site.admin_view(view), name=f"campaigns_import_{name}"
            )

        return [
            at("state", self.state_view, "state"),
            at("columns", require_POST(self.columns_view), "columns"),
            at("start", require_POST(self.start_view), "start"),
            at("cancel", require_POST(self.cancel_view), "cancel"),
            at("refused", self.refused_view, "refused"),
            *super().get_urls(),
        ]

    # --- The steps ---

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Upload or paste; ?to=suppressions for the suppression list, ?list=ID for a certain list."""
        suppresses = request.GET.get("to") == "suppressions"
        if not (may_suppress(request) if suppresses else may_import(request)):
            raise PermissionDenied
        form_class = SuppressionUploadForm if suppresses else ListUploadForm
        form = form_class(request.POST or None, request.FILES or None, initial=self._initial(request))
        if form.is_valid() and (imported := form.run(request.user)):
            self.log_addition(request, imported, gettext("Uploaded"))
            return HttpResponseRedirect(_page(imported))
        title = _("Add to the suppression list") if suppresses else _("Import contacts")
        context = {"title": title, "form": form, "suppresses": suppresses}
        return self._page(request, "admin/campaigns/import/upload.html", context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of one import."""
        return self._show(request, PAGE, self._find(request, int(object_id) if object_id.isdigit() else 0))

    def state_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How far a worker is, asked for each second; when it has ended, the page is to be loaded anew."""
        imported = self._find(request, pk)
        if not imported.is_in_work:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return self._show(request, PROGRESS, imported)

    def columns_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Takes what the columns hold, and has the file checked so."""
        imported = self._to_run(request, pk)
        form = ColumnsForm(imported, request.POST)
        if not form.is_valid():
            return self._show(request, PAGE, imported, form)
        fields = form.cleaned_data["fields"]
        return self._act(request, imported, lambda: import_actions.choose_columns(imported, fields))

    def start_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Starts the import of a file that was checked."""
        imported = self._to_run(request, pk)
        return self._act(request, imported, lambda: import_actions.start(imported))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Cancels an import that is not done."""
        imported = self._to_run(request, pk)
        return self._act(request, imported, lambda: import_actions.cancel(imported))

    def refused_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """All refused rows as CSV, with line, reason and what was in them, as long as the file is kept."""
        imported = self._find(request, pk)
        if not imported.fields or not imported.chunks.exists():
            raise Http404

        def rows() -> Any:
            with kept_file(imported) as file:
                yield from refused_rows(file, imported.fields)

        table = rows()
        return csv_export.stream(f"refused-{imported.pk}.csv", next(table), table)

    # --- What the steps share ---

    def _act(self, request: HttpRequest, imported: Import, act: Callable[[], None]) -> HttpResponse:
        try:
            act()
            self.log_change(request, imported, imported.get_state_display())
        except (Refused, ImportRefused) as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        return HttpResponseRedirect(_page(imported))

    def _find(self, request: HttpRequest, pk: int) -> Import:
        if not self.has_view_permission(request) and not self.has_add_permission(request):
            raise PermissionDenied
        return get_object_or_404(Import, pk=pk)

    def _to_run(self, request: HttpRequest, pk: int) -> Import:
        imported = self._find(request, pk)
        if not may_run(request, imported):
            raise PermissionDenied
        return imported

    def _show(
        self, request: HttpRequest, template: str, imported: Import, form: ColumnsForm | None = None
    ) -> HttpResponse:
        may = may_run(request, imported)
        state, report = imported.state, imported.report
        may_choose = may and state in (Import.State.UPLOADED, Import.State.CHECKED)
        tone, lead, told = TOLD.get(state, ("", "", ""))
        context = {
            "title": imported.filename,
            "tone": tone,
            "lead": lead,
            "told": imported.refusal or told,
            "import": imported,
            "report": report,
            "fields": [one["field"] for one in imported.columns if one["field"] in report.get("fields", {})],
            "state": state,
            "may_run": may,
            "form": (form or ColumnsForm(imported)) if may_choose else None,
            "sample": imported.sample,
            "work": showing.told(imported),
            "has_file": bool(report.get("refused")) and imported.chunks.exists(),
            "refused_rows": report.get("refused_rows", [])[:SHOWN_ROWS],
            "duplicate_rows": report.get("duplicate_rows", [])[:SHOWN_ROWS],
            "result_url": _result_url(imported),
            "is_final": state in Import.FINAL,
        }
        return self._page(request, template, context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, **context}
        return TemplateResponse(request, template, context)

    def _initial(self, request: HttpRequest) -> dict[str, Any]:
        return {"contact_list": request.GET.get("list", "")}

    # --- The list of past imports ---

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; what to do where there is nothing on it yet."""
        context = {
            **(extra_context or {}),
            "is_empty": not Import.objects.exists(),
            "may_import": may_import(request),
            "may_suppress": may_suppress(request),
        }
        return super().changelist_view(request, context)

    @admin.display(description=_("into"))
    def into(self, imported: Import) -> str:
        return imported.target

    @admin.display(description=_("state"))
    def state_told(self, imported: Import) -> str:
        return str(imported.get_state_display())

    @admin.display(description=_("outcome"))
    def outcome(self, imported: Import) -> str:
        """What came of it, in a line."""
        if imported.state != Import.State.DONE:
            return imported.refusal
        counts = {name: number(imported.report[name]) for name in ("taken", "merged", "refused")}
        return gettext("%(taken)s new, %(merged)s merged, %(refused)s refused") % counts

    created = moment_column("created_at", _("when"))


def _page(imported: Import) -> str:
    return reverse("admin:campaigns_import_change", args=[imported.pk])


def _result_url(imported: Import) -> str:
    """Where the imported rows are to be seen; "" when nowhere."""
    if imported.state != Import.State.DONE:
        return ""
    if imported.reason:
        return reverse("admin:sending_suppression_changelist")
    found = ContactList.objects.filter(name=imported.list_name).values_list("pk", flat=True).first()
    return f"{reverse('admin:campaigns_contact_changelist')}?lists__id__exact={found}" if found else ""
