"""The form of a contact: kept by the rules of the import, its merge fields one a line."""

import json
from typing import Any

from django import forms
from django.contrib.admin.helpers import ActionForm
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.importing.cleaning import clean_email, clean_name, clean_value
from campaigns.importing.headers import merge_field
from campaigns.importing.limits import MAX_VALUE
from campaigns.models import Contact, ContactList

SPARE = 3  # empty lines for more merge fields


class MergeFieldsWidget(forms.Widget):
    """A line for each merge field, and some empty ones: its name and its value."""

    template_name = "admin/campaigns/contact/merge_fields.html"

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """By the project's templates: the forms' own engine doesn't look there."""
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        context["pairs"] = [*(value or []), *[("", "")] * SPARE]
        return context

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[tuple[str, str]]:
        names, values = data.getlist(f"{name}_name"), data.getlist(f"{name}_value")
        return [pair for pair in zip(names, values, strict=False) if any(map(str.strip, pair))]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return f"{name}_name" not in data

    def id_for_label(self, id_: str) -> str:
        return ""


class MergeFieldsField(forms.Field):
    """Merge fields as pairs of name and text; what isn't text is shown as JSON."""

    widget = MergeFieldsWidget

    def prepare_value(self, value: Any) -> list[tuple[str, str]]:
        return (
            sorted((name, as_text(one)) for name, one in value.items()) if isinstance(value, dict) else value
        )

    def clean(self, value: Any) -> list[tuple[str, str]]:
        return list(value or [])

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.prepare_value(initial or {}) != sorted(data or [])


class ContactForm(forms.ModelForm):
    """Keeps a contact by the rules of the import."""

    attributes = MergeFieldsField(label=_("Merge fields"), required=False)

    class Meta:
        model = Contact
        fields = ["email", "name", "attributes"]

    def clean_email(self) -> str:
        try:
            return clean_email(self.cleaned_data["email"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"])

    def clean_attributes(self) -> dict[str, Any]:
        before = self.instance.attributes or {}
        cleaned: dict[str, Any] = {}
        for name, text in self.cleaned_data["attributes"]:
            field = name if name in before else _checked_field(name)
            if field in cleaned:
                raise forms.ValidationError(gettext("There are two merge fields “%s”.") % field)
            if len(text) > MAX_VALUE:
                raise forms.ValidationError(gettext("The value of “%s” is too long.") % field)
            if field in before and as_text(before[field]) == text:
                cleaned[field] = before[field]
            elif value := clean_value(text):
                cleaned[field] = value
        return cleaned


class ListActionForm(ActionForm):
    """Beside the actions of the contacts: the list that they are added to."""

    to_list = forms.ModelChoiceField(ContactList.objects.all(), label=_("List:"), required=False)


def as_text(value: Any) -> str:
    """A merge field's value as a person reads it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _checked_field(name: str) -> str:
    """The merge field of a name that a person wrote. Raises ValidationError when it can't be one."""
    field = merge_field(name)
    if not field or field in ("email", "name"):
        told = gettext("“%(name)s” can't be the name of a merge field: choose one such as city.")
        raise forms.ValidationError(told % {"name": name.strip()[:60]})
    return field
