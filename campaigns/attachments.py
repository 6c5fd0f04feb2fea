"""Attachments in the admin: an uploaded file goes into Postgres, where every host can read it."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from campaigns import files
from campaigns.files import MAX_FILE, MAX_TOGETHER
from campaigns.models import Attachment, Campaign


class AttachmentForm(forms.ModelForm):
    file = forms.FileField(
        help_text=_("At most %(size)s, %(together)s all together.")
        % {"size": filesizeformat(MAX_FILE), "together": filesizeformat(MAX_TOGETHER)}
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


class AttachmentInline(admin.TabularInline):
    """Files are added and deleted, never changed."""

    model = Attachment
    form = AttachmentForm
    formset = AttachmentFormSet
    extra = 0
    fields = ["file", "filename", "size"]
    readonly_fields = ["filename", "size"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attachment]:
        """Without the files' content: the page shows their sizes only."""
        return super().get_queryset(request).defer("content").annotate(size=Length("content"))

    @admin.display(description="size")
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
