"""A form whose page may have been open for a while: what others changed meanwhile stays."""

from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist
from django.utils.text import get_text_list
from django.utils.translation import gettext as _


class _Field(forms.BoundField):
    """Carries what it held when the page was first made, however often the page comes back for a mistake.

    Django's own takes what was entered for it, where that is in several fields, or was in none.
    """

    def as_widget(self, widget: Any = None, attrs: Any = None, only_initial: bool = False) -> Any:
        if not (only_initial and self.form.is_bound):
            return super().as_widget(widget, attrs, only_initial)
        hidden, name = self.field.hidden_widget(), self.html_initial_name
        held = hidden.value_from_datadict(self.form.data, self.form.files, name)
        return hidden.render(name, held, {"id": self.html_initial_id}, self.form.renderer)


class FreshForm(forms.ModelForm):
    """Changes what the person changed, and nothing else.

    The page carries what each field held when it was made (Django's hidden initial values). Without them, as
    from a script, every field that differs from the row counts as changed.
    """

    bound_field_class = _Field

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        carries = not self.is_bound or any(name.startswith("initial-") for name in self.data)
        for field in self.fields.values() if self.instance.pk and carries else ():
            field.show_hidden_initial = True
        self._stale: list[str] = []

    def clean(self) -> dict[str, Any]:
        """Puts what the row holds now in the place of what the person left as it was."""
        cleaned = super().clean() or self.cleaned_data
        untouched = set(cleaned).difference(self.changed_data) if self.instance.pk else ()
        for name in untouched:
            try:
                field = self.instance._meta.get_field(name)
            except FieldDoesNotExist:
                continue
            if self._is_stale(name):
                self._stale.append(name)
            now = getattr(self.instance, name)
            cleaned[name] = list(now.all()) if field.many_to_many else now
        return cleaned

    def _is_stale(self, name: str) -> bool:
        """Whether the row holds something else by now than the page, which nobody changed there."""
        now, held = (_plain(value) for value in (self[name].initial, self[name].data))
        return self.fields[name].has_changed(now, held)

    def _post_clean(self) -> None:
        """Says what others changed meanwhile, where the page comes back: it shows what it was made with."""
        super()._post_clean()  # type: ignore[misc]
        if self.errors and self._stale:
            labels = [str(self[name].label) for name in self.fields if name in self._stale]
            told = {"fields": get_text_list(labels, _("and"))}
            words = _("Changed by somebody else meanwhile: %(fields)s. Load the page anew to see it.")
            self.add_error(None, words % told)


def _plain(value: Any) -> Any:
    """Without what browsers make of line breaks, and what fields take off both ends."""
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else value
