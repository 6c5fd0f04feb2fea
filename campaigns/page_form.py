"""The fields of a campaign's form, for people and screen readers."""

from typing import Any

from django.contrib.admin.widgets import AdminSplitDateTime, RelatedFieldWidgetWrapper
from django.forms import CheckboxSelectMultiple, Field
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _


class Boxes(CheckboxSelectMultiple):
    """Boxes to tick, as a group that has a name."""

    def __init__(self, label: Any, first: Any, where: str, **options: Any):
        super().__init__(**options)
        self.label, self.first, self.where = label, first, where

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        """The boxes; where there are none, what to do first, and the way there."""
        inside = super().render(*args, **kwargs) if len(list(self.choices)) else self._first()
        return format_html('<div class="boxes" role="group" aria-label="{}">{}</div>', self.label, inside)

    def _first(self) -> SafeString:
        told = _("There are none yet:")
        return format_html('{} <a href="{}">{}</a>', told, reverse(f"admin:{self.where}"), self.first)


# The field's label; what to do first where there is nothing to tick, and the page for it.
BOXES = {
    "lists": (_("Lists"), _("import contacts"), "campaigns_import_add"),
    "accounts": (_("Accounts"), _("add an account"), "accounts_smtpaccount_add"),
}


def widget(name: str) -> dict[str, Any]:
    """The widget of the form's field for this field of Campaign, as an option; none: Django's own."""
    return {"widget": Boxes(*BOXES[name])} if name in BOXES else {}


def labelled(field: Field, name: str) -> Field:
    """The form's field for this field of Campaign, with the labels that it has on the page."""
    if isinstance(field.widget, RelatedFieldWidgetWrapper):  # its buttons know menus only, no boxes
        field.widget = field.widget.widget
    if isinstance(field.widget, AdminSplitDateTime):
        day, clock = field.widget.widgets
        day.attrs["aria-label"] = _("Start: date")
        clock.attrs["aria-label"] = _("Start: time")
    if name == "html":
        field.widget.attrs |= {"rows": 18, "class": "vLargeTextField message-source"}
    return field
