"""The forms of the import: a file or pasted addresses and where they go, then what the columns hold."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns import import_actions
from campaigns.importing.headers import IGNORED, TAKEN, check_fields, merge_field
from campaigns.importing.refusal import ImportRefused
from campaigns.models import ContactList, Import
from sending.models import Suppression

MERGE = "merge"
KINDS = [
    ("email", _("E-mail address")),
    ("name", _("Name")),
    ("first_name", _("First name")),
    ("last_name", _("Last name")),
    (MERGE, _("Merge field")),
    (IGNORED, _("Ignore this column")),
]
MOST_PASTED = 1_000_000  # characters


class UploadForm(forms.Form):
    """A file, or addresses that are pasted."""

    file = forms.FileField(
        label=_("File"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}),
        help_text=_("CSV or Excel (.xlsx), with the names of the columns in its first row."),
    )
    pasted = forms.CharField(
        label=_("Or paste addresses"),
        required=False,
        max_length=MOST_PASTED,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60}),
        help_text=_("One a line, or with commas between them: anna@example.org, Ben Maier <ben@example.org>"),
    )

    def clean(self) -> dict[str, Any]:
        chosen = bool(self.cleaned_data.get("file"))
        pasted = bool((self.cleaned_data.get("pasted") or "").strip())
        if chosen and pasted:
            raise forms.ValidationError(gettext("Choose a file or paste addresses, not both."))
        if not chosen and not pasted and "file" not in self.errors and "pasted" not in self.errors:
            raise forms.ValidationError(gettext("Choose a file, or paste addresses."))
        return self.cleaned_data

    def target(self) -> dict[str, str]:
        """Where it goes: list_name or reason."""
        raise NotImplementedError

    def run(self, user: Any) -> Import | None:
        """The import of the valid form. None when its file is refused; the form then says why."""
        file = self.cleaned_data["file"]
        try:
            if file:
                return import_actions.upload(file, file.name, user=user, **self.target())
            return import_actions.paste(self.cleaned_data["pasted"], user=user, **self.target())
        except ImportRefused as refusal:
            self.add_error("file" if file else "pasted", str(refusal))
            return None


class ListUploadForm(UploadForm):
    """Into a list: one that exists or the name of a new one."""

    contact_list = forms.ModelChoiceField(
        ContactList.objects.all(), label=_("List"), required=False, empty_label=_("A new list")
    )
    new_list = forms.CharField(
        label=_("Name of the new list"),
        required=False,
        max_length=200,
        help_text=_("A list that has this name already is added to."),
    )

    def clean(self) -> dict[str, Any]:
        chosen, named = self.cleaned_data.get("contact_list"), self.cleaned_data.get("new_list")
        if chosen and named:
            self.add_error("new_list", gettext("Choose a list or name a new one, not both."))
        elif not chosen and not named and not {"contact_list", "new_list"} & self.errors.keys():
            self.add_error("new_list", gettext("Name the new list, or choose one that is there."))
        return super().clean()

    def target(self) -> dict[str, str]:
        chosen = self.cleaned_data["contact_list"]
        return {"list_name": chosen.name if chosen else self.cleaned_data["new_list"]}


class SuppressionUploadForm(UploadForm):
    """Onto the suppression list."""

    reason = forms.ChoiceField(
        label=_("Reason"), choices=Suppression.Reason, initial=Suppression.Reason.MANUAL
    )

    def target(self) -> dict[str, str]:
        return {"reason": self.cleaned_data["reason"]}


class ColumnsForm(forms.Form):
    """For each column of an import's file, what it holds."""

    def __init__(self, imported: Import, data: Any = None) -> None:
        super().__init__(data)
        self.columns = imported.columns
        self.guessed = "" if imported.fields else _guessed(self.columns)
        for column in self.columns:
            title = _title(column)
            known = column["field"] in TAKEN or column["field"] == IGNORED
            self.fields[f"kind_{column['index']}"] = forms.ChoiceField(
                label=title,
                choices=[pair for pair in KINDS if not imported.reason or pair[0] in ("email", IGNORED)],
                initial=_kind(column["field"], for_addresses_only=bool(imported.reason)),
                required=False,
            )
            if not imported.reason:
                self.fields[f"field_{column['index']}"] = forms.CharField(
                    label=gettext("Merge field of %(column)s") % {"column": title},
                    initial="" if known else column["field"],
                    required=False,
                    max_length=60,
                )

    def rows(self) -> Iterator[tuple[dict[str, Any], BoundField, BoundField | None]]:
        """Each column with its two fields."""
        for column in self.columns:
            name = f"field_{column['index']}"
            yield column, self[f"kind_{column['index']}"], self[name] if name in self.fields else None

    def clean(self) -> dict[str, Any]:
        fields = [self._field(column) for column in self.columns]
        if not self.errors:
            try:
                check_fields(fields)
            except ImportRefused as refusal:
                raise forms.ValidationError(str(refusal)) from refusal
        return {**self.cleaned_data, "fields": fields}

    def _field(self, column: dict[str, Any]) -> str:
        kind = self.cleaned_data.get(f"kind_{column['index']}", "")
        if kind != MERGE:
            return kind
        wanted = self.cleaned_data.get(f"field_{column['index']}") or column["header"]
        field = merge_field(wanted)
        if not field or field in TAKEN:
            told = gettext("Give the merge field another name, such as city.")
            self.add_error(f"field_{column['index']}", told)
        return field


def _title(column: dict[str, Any]) -> str:
    return column["header"] or gettext("Column %(number)s") % {"number": column["index"] + 1}


def _guessed(columns: list[dict[str, Any]]) -> str:
    """The title of the column of which it was guessed that it holds the addresses; "" where none was."""
    return next((_title(column) for column in columns if column.get("is_guess")), "")


def _kind(field: str, *, for_addresses_only: bool) -> str:
    if for_addresses_only:
        return field if field == "email" else IGNORED
    return field if field in TAKEN or field == IGNORED else MERGE
