"""The fields of a campaign's form, for people and screen readers."""

from typing import Any

from django.contrib.admin.widgets import AdminSplitDateTime, RelatedFieldWidgetWrapper
from django.forms import CheckboxSelectMultiple, Field
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _


class Boxes(CheckboxSelectMultiple):
    """Boxes to tick, as a group that has a name."""

    def __init__(self, label: Any, **options: Any):
        super().__init__(**options)
        self.label = label

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        """The boxes; where there are none, says so."""
        inside = super().render(*args, **kwargs) if len(list(self.choices)) else _("There are none yet.")
        return format_html('<div class="boxes" role="group" aria-label="{}">{}</div>', self.label, inside)


LABELS = {"lists": _("Lists"), "accounts": _("Accounts")}


def widget(name: str) -> dict[str, Any]:
    """The widget of the form's field for this field of Campaign, as an option; none: Django's own."""
    return {"widget": Boxes(LABELS[name])} if name in LABELS else {}


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
