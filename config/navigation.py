"""The menu beside every page: the screens by what people do there, then the program's inner tables.

It shows the lists that a person may look at: who that is, config/roles.py alone says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

# Title, then the models (app_label.model) whose lists stand under it. Others are among "All tables".
SECTIONS = (
    (
        _("Campaigns"),
        ("campaigns.campaign", "sending.queuedemail", "sending.uncertainemail", "sending.testmail"),
    ),
    (
        _("Contacts"),
        (
            "campaigns.contact",
            "campaigns.contactlist",
            "campaigns.import",
            "sending.suppression",
            "sending.export",
        ),
    ),
    (_("Accounts"), ("accounts.smtpaccount", "accounts.accountpause", "sending.pacing")),
    (_("Users"), ("auth.user", "auth.group")),
)
SYSTEM = (
    _("System"),
    (
        "sending.sendlog",
        "sending.batch",
        "sending.heartbeat",
        "django_q.schedule",
        "django_q.ormq",
        "django_q.success",
        "django_q.failure",
    ),
)
TABLES = _("All tables")


@dataclass(frozen=True)
class Link:
    """A list of the admin: where it is, and whether the page that is shown belongs to it."""

    name: str
    url: str
    is_current: bool


def sections(available_apps: Iterable[Mapping[str, Any]], path: str) -> list[tuple[Any, list[Link]]]:
    """The sections with those lists that the person may see, as the admin's own index tells them.

    available_apps: from AdminSite.each_context; path: of the request.
    """
    models = {
        f"{app['app_label']}.{model['object_name'].lower()}": model
        for app in available_apps
        for model in app["models"]
    }
    titles = (*SECTIONS, SYSTEM)
    found = [(title, [_link(models[key], path) for key in keys if key in models]) for title, keys in titles]
    if system := found[-1][1]:
        tables = reverse("tables")
        system.append(Link(str(TABLES), tables, path == tables))
    return [(title, links) for title, links in found if links]


def _link(model: Mapping[str, Any], path: str) -> Link:
    url = model["admin_url"] or model["add_url"] or ""
    return Link(str(model["name"]), url, bool(url) and path.startswith(url))
