"""A form whose page may have been open for a while: what others changed meanwhile stays."""

from typing import Any

from django import forms
from django.core.exceptions import FieldDoesNotExist


class FreshForm(forms.ModelForm):
    """Changes what the person changed, and nothing else.

    The page carries what each field held when it was made (Django's hidden initial values). Without them, as
    from a script, every field that differs from the row counts as changed.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        carries = not self.is_bound or any(name.startswith("initial-") for name in self.data)
        for field in self.fields.values() if self.instance.pk and carries else ():
            field.show_hidden_initial = True

    def clean(self) -> dict[str, Any]:
        """Puts what the row holds now in the place of what the person left as it was."""
        cleaned = super().clean() or self.cleaned_data
        untouched = set(cleaned).difference(self.changed_data) if self.instance.pk else ()
        for name in untouched:
            try:
                field = self.instance._meta.get_field(name)
            except FieldDoesNotExist:
                continue
            now = getattr(self.instance, name)
            cleaned[name] = list(now.all()) if field.many_to_many else now
        return cleaned
