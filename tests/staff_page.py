"""A page of the admin with a form, submitted as a browser does."""

from typing import Any

from django.urls import reverse
from lxml import html


class Page:
    """A page with a form, as it was when it was opened."""

    def __init__(self, client, name: str, pk: int):
        self.client, self.url = client, reverse(f"admin:{name}_change", args=[pk])
        self.id = f"{name.partition('_')[2]}_form"
        self._show(client.get(self.url).content)

    def _show(self, content: bytes) -> None:
        (self.form,) = html.fromstring(content).xpath(f"//form[@id='{self.id}']")

    def _submit(self, changes: dict[str, str]) -> Any:
        """As a browser does."""
        sent: dict[str, list[str]] = {}
        for name, value in self.form.form_values():
            sent.setdefault(name, []).append(value)
        return self.client.post(self.url, sent | {name: [value] for name, value in changes.items()})

    def save(self, **changes: str) -> None:
        """With these changes."""
        response = self._submit(changes)
        assert response.status_code == 302, response.context["errors"]

    def fail_to_save(self, **changes: str) -> str:
        """With these changes, one of them a mistake: it shows what was entered. Returns what is wrong."""
        response = self._submit(changes)
        assert response.status_code == 200
        self._show(response.content)
        return str(response.context["errors"])
