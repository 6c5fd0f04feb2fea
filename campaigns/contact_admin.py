"""The staff screens of contacts and lists, and the page that imports a file into a list."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from campaigns.importing import ImportRefused, ImportReport, import_contacts
from campaigns.importing.cleaning import clean_email, clean_name
from campaigns.models import Contact, ContactList

IMPORT_PERMISSIONS = ["campaigns.add_contact", "campaigns.change_contact", "campaigns.change_contactlist"]


def may_import(request: HttpRequest) -> bool:
    """An import adds and changes contacts, and puts them into a list."""
    return request.user.has_perms(IMPORT_PERMISSIONS)


class ContactForm(forms.ModelForm):
    """Keeps a contact by the rules of the import."""

    def clean_email(self) -> str:
        try:
            return clean_email(self.cleaned_data["email"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"])

    def clean_attributes(self) -> dict[str, Any]:
        attributes = self.cleaned_data["attributes"] or {}
        if not isinstance(attributes, dict):
            raise forms.ValidationError('Write merge fields as a JSON object: {"city": "Köln"}.')
        return attributes


class ImportForm(forms.Form):
    """A file, and the list it goes into: one that exists or the name of a new one."""

    file = forms.FileField(widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}))
    contact_list = forms.ModelChoiceField(
        ContactList.objects.all(), label="List", required=False, empty_label="A new list"
    )
    new_list = forms.CharField(
        label="Name of the new list",
        required=False,
        max_length=200,
        help_text="A list that has this name already is added to.",
    )

    def clean(self) -> dict[str, Any]:
        chosen, named = self.cleaned_data.get("contact_list"), self.cleaned_data.get("new_list")
        if bool(chosen) == bool(named):
            raise forms.ValidationError("Choose a list or name a new one, not both.")
        return self.cleaned_data

    def run(self) -> ImportReport | None:
        """Imports the valid form's file. None when the file is refused; the form then says why."""
        file = self.cleaned_data["file"]
        chosen = self.cleaned_data["contact_list"]
        try:
            return import_contacts(file, file.name, chosen.name if chosen else self.cleaned_data["new_list"])
        except ImportRefused as refusal:
            self.add_error("file", str(refusal))
            return None


class ImportLinkMixin(admin.ModelAdmin):
    """Tells the list of objects whether to show the link to the import."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_import": may_import(request)}
        return super().changelist_view(request, context)


class MembershipInline(admin.TabularInline):
    model = ContactList.contacts.through
    verbose_name = "list"
    verbose_name_plural = "lists"
    autocomplete_fields = ["contactlist"]
    extra = 0


@admin.register(Contact)
class ContactAdmin(ImportLinkMixin):
    form = ContactForm
    list_display = ["email", "name", "created_at"]
    list_filter = ["lists"]
    search_fields = ["email", "name"]
    fields = ["email", "name", "attributes"]
    inlines = [MembershipInline]
    show_full_result_count = False


@admin.register(ContactList)
class ContactListAdmin(ImportLinkMixin):
    list_display = ["name", "contact_count", "created_at"]
    search_fields = ["name"]
    # Its contacts would be one option each in a select; they are shown by the contacts' own filter.
    fields = ["name", "contact_count"]
    readonly_fields = ["contact_count"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactList]:
        return super().get_queryset(request).annotate(contact_total=Count("contacts"))

    @admin.display(description="contacts", ordering="contact_total")
    def contact_count(self, contact_list: ContactList) -> str:
        if contact_list.pk is None:
            return "0"
        url = reverse("admin:campaigns_contact_changelist")
        total = contact_list.contact_total  # type: ignore[attr-defined]
        return format_html('<a href="{}?lists__id__exact={}">{}</a>', url, contact_list.pk, total)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="campaigns_contactlist_import"), *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """The form, or after a POST the report. Sending it again does no harm: it changes nothing."""
        if not may_import(request):
            raise PermissionDenied
        form = ImportForm(request.POST or None, request.FILES or None)
        report = form.run() if form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "title": "Import contacts",
            "opts": self.opts,
            "form": form,
            "report": report,
            "list_id": report and ContactList.objects.get(name=report.list_name).pk,
        }
        return TemplateResponse(request, "admin/campaigns/contactlist/import.html", context)
