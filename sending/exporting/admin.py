"""The screens of large exports: how far the file is, its download, past ones; and what begins one."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.columns import moment_column
from accounts.words import number
from sending import csv_export
from sending.exporting import actions
from sending.exporting.models import Export
from sending.exporting.sources import SOURCES, Wanted, seen_by
from sending.longwork import files
from sending.longwork.showing import told

PAGE = "admin/sending/export/page.html"
PROGRESS = "admin/sending/export/progress.html"
NO_FILTERS = ("p", "o", "all", "e", "_changelist_filters")  # of a list's address: page, order and the like
TOLD = {
    Export.State.DONE: ("good", _("The file is ready.")),
    Export.State.REFUSED: ("bad", _("The file was not made.")),
    Export.State.CANCELLED: ("", _("The export was cancelled.")),
}


def respond(
    request: HttpRequest, source: str, wanted: Wanted, *, title: str, filename: str
) -> HttpResponseBase:
    """The file of a source's wanted rows; or, when it is large and was asked for by POST, the page on
    which one sees a worker make it. Raises PermissionDenied where the user may not see the rows."""
    known = SOURCES[source]
    if not request.user.has_perms(known.permissions):
        raise PermissionDenied
    if request.method != "POST" or not known.is_large(wanted):
        return csv_export.stream(filename, *known.table(wanted))
    export = actions.begin(source, wanted, title=title, filename=filename, user=request.user)
    admin.site.get_model_admin(Export).log_addition(request, export, gettext("Asked for"))
    return redirect("admin:sending_export_change", export.pk)


def chosen(request: HttpRequest, rows: QuerySet[Any], known: Mapping[str, str]) -> dict[str, Any]:
    """What an action of a list is about, as a source understands it.

    All that the list shows, by its filters, when that was asked for: known gives the name that the source
    has for each parameter of the list's address. Else, or with other filters, by `ids`.
    """
    filters = {name: value for name, value in request.GET.items() if name not in NO_FILTERS and value}
    if request.POST.get("select_across") == "1" and filters.keys() <= known.keys():
        return {known[name]: value for name, value in filters.items()}
    return {"ids": list(rows.order_by().values_list("pk", flat=True))}


@admin.register(Export)
class ExportAdmin(admin.ModelAdmin):
    """Each is seen and downloaded by who may see its rows, whoever asked for it."""

    list_display = ("title", "state", "rows", "file", "created_by", "created")
    list_select_related = ("created_by",)
    show_full_result_count = False
    list_per_page = 50
    sortable_by = ()
    actions = None

    # --- Who may see what ---

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Export | None = None) -> bool:
        seen = seen_by(request.user)
        return bool(seen) if obj is None else obj.source in seen

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Export | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Export | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).filter(source__in=seen_by(request.user))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Any: what may be seen of it is asked by has_view_permission."""
        return Export.objects.filter(pk=object_id).first() if object_id.isdigit() else None

    def _find(self, request: HttpRequest, pk: int) -> Export:
        export = get_object_or_404(Export, pk=pk)
        if not self.has_view_permission(request, export):
            raise PermissionDenied
        return export

    # --- One export ---

    def get_urls(self) -> list[URLPattern]:
        def at(step: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            return path(f"<int:pk>/{step}/", self.admin_site.admin_view(view), name=f"sending_export_{step}")

        return [
            at("state", require_safe(self.state_view)),
            at("cancel", require_POST(self.cancel_view)),
            at("download", require_safe(self.download_view)),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of one export."""
        return self._show(request, PAGE, self._find(request, int(object_id) if object_id.isdigit() else 0))

    def state_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How far a worker is, asked for each second; when it has ended, the page is to be loaded anew."""
        export = self._find(request, pk)
        if not export.is_in_work:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return self._show(request, PROGRESS, export)

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Cancels an export that is not done."""
        export = self._find(request, pk)
        if actions.cancel(export):
            self.log_change(request, export, gettext("Cancelled"))
        else:
            self.message_user(request, gettext("It was over already."), messages.WARNING)
        return redirect("admin:sending_export_change", pk)

    def download_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The file."""
        export = self._find(request, pk)
        if export.state != Export.State.DONE:
            raise Http404
        headers = {
            "Content-Disposition": f'attachment; filename="{export.filename}"',
            "Content-Length": str(export.size),
            "Cache-Control": "no-store",
        }
        pieces = files.pieces(export)
        return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8", headers=headers)

    def _show(self, request: HttpRequest, template: str, export: Export) -> HttpResponse:
        tone, lead = TOLD.get(export.state, ("", ""))  # type: ignore[call-overload]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": export.title,
            "export": export,
            "work": told(export),
            "tone": tone,
            "lead": lead,
            "removed_at": export.finished_at and export.finished_at + actions.KEEP,
        }
        return TemplateResponse(request, template, context)

    # --- The list ---

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; what to do where there is nothing on it."""
        is_empty = not self.get_queryset(request).exists()
        return super().changelist_view(request, {**(extra_context or {}), "is_empty": is_empty})

    @admin.display(description=_("rows"))
    def rows(self, export: Export) -> str:
        return number(export.rows_done)

    @admin.display(description=_("file"))
    def file(self, export: Export) -> str:
        return filesizeformat(export.size) if export.size else "–"

    created = moment_column("created_at", _("when"))
