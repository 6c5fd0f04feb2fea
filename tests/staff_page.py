"""A page of the admin with a form, submitted as a browser does."""

from django.urls import reverse
from lxml import html


class Page:
    """A page with a form, as it was when it was opened."""

    def __init__(self, client, name: str, pk: int):
        self.client, self.url = client, reverse(f"admin:{name}_change", args=[pk])
        page = html.fromstring(client.get(self.url).content)
        (self.form,) = page.xpath(f"//form[@id='{name.partition('_')[2]}_form']")

    def save(self, **changes: str) -> None:
        """Submits it as a browser does, with these changes."""
        sent: dict[str, list[str]] = {}
        for name, value in self.form.form_values():
            sent.setdefault(name, []).append(value)
        response = self.client.post(self.url, sent | {name: [value] for name, value in changes.items()})
        assert response.status_code == 302, response.context["errors"]
