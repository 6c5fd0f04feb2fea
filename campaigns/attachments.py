"""Attachments in the admin: an uploaded file goes into Postgres, where every host can read it."""

from functools import partial
from io import BytesIO
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.forms.models import BaseInlineFormSet
from django.http import FileResponse, HttpRequest
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.urls import path, reverse
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from campaigns import files
from campaigns.files import MAX_FILE, MAX_TOGETHER
from campaigns.models import Attachment, Campaign


class AttachmentForm(forms.ModelForm):
    file = forms.FileField(
        help_text=format_lazy(
            _lazy("At most {size}, {together} all together."),
            size=lazy(filesizeformat, str)(MAX_FILE),
            together=lazy(filesizeformat, str)(MAX_TOGETHER),
        )
    )

    class Meta:
        model = Attachment
        fields: list[str] = []

    def clean_file(self) -> UploadedFile:
        file = self.cleaned_data["file"]
        if problem := files.problem(file.name, file.size):
            raise forms.ValidationError(problem)
        return file

    def save(self, commit: bool = True) -> Attachment:
        file = self.cleaned_data["file"]
        files.put_into(self.instance, file.name, file.read())
        return super().save(commit)


class AttachmentFormSet(BaseInlineFormSet):
    def add_fields(self, form: Any, index: int | None) -> None:
        """Names the box that deletes a file: the table's heading is no label."""
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs["aria-label"] = _("Delete %s") % form.instance
        form.fields["file"].widget.attrs["aria-label"] = _("File")

    def clean(self) -> None:
        super().clean()
        if problem := files.problem_together(sum(_size(form) for form in self.forms)):
            raise forms.ValidationError(problem)


def _size(form: Any) -> int:
    """Bytes of the form's file, new or stored; none where it is to be deleted or has an error."""
    given = getattr(form, "cleaned_data", {})
    if given.get("DELETE"):
        return 0
    uploaded = given.get("file")
    return uploaded.size if uploaded else getattr(form.instance, "size", 0)


def not_kept(formset: Any) -> str:
    """What to do about files that were sent with a form that comes back for a mistake, or "" without any.

    A browser sends them once: the form shows no sign of them, and would be saved without them.
    """
    given = [getattr(form, "cleaned_data", {}) for form in formset.forms]
    names = [one["file"].name for one in given if one.get("file") and not one.get("DELETE")]
    if not names:
        return ""
    told = ngettext(
        "This file has to be chosen again: %(names)s",
        "These files have to be chosen again: %(names)s",
        len(names),
    )
    return told % {"names": ", ".join(names)}


class AttachmentInline(admin.TabularInline):
    """Files are added and deleted, never changed."""

    model = Attachment
    form = AttachmentForm
    formset = AttachmentFormSet
    extra = 0
    fields = ["file", "size"]
    readonly_fields = ["size"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attachment]:
        """Without the files' content: the page shows their sizes only."""
        return super().get_queryset(request).defer("content").annotate(size=Length("content"))

    @admin.display(description=_lazy("file"))
    def file(self, attachment: Attachment) -> SafeString:
        """Of a stored file the name, which leads to its content."""
        url = reverse("admin:campaigns_campaign_attachment", args=[attachment.pk])
        return format_html('<a href="{}" download>{}</a>', url, attachment)

    @admin.display(description=_lazy("size"))
    def size(self, attachment: Attachment) -> str:
        return filesizeformat(getattr(attachment, "size", 0)) if attachment.pk else ""

    # Who may change the campaign may change its attachments: they are part of it.

    def has_view_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        editable = obj is None or obj.is_editable
        return editable and request.user.has_perms([f"campaigns.{'change' if obj else 'add'}_campaign"])

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return self.has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        return False


def urls(model_admin: Any) -> list[Any]:
    """The address of a stored file, for CampaignAdmin.get_urls."""
    view = require_safe(partial(_download, model_admin))
    address = "attachments/<int:pk>/"
    return [path(address, model_admin.admin_site.admin_view(view), name="campaigns_campaign_attachment")]


def _download(model_admin: Any, request: HttpRequest, pk: int) -> FileResponse:
    """GET: the file, to be kept and never shown as a page of ours."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    found = get_object_or_404(Attachment, pk=pk)
    return FileResponse(
        BytesIO(bytes(found.content)),
        as_attachment=True,
        filename=found.filename,
        content_type="application/octet-stream",
    )
