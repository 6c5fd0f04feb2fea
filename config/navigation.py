"""What stands beside every page: the screens by what people come for, then the tables behind them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

# Title, then the models (app_label.model) whose lists stand under it. Others are among "All tables".
SECTIONS = (
    (_("Write"), ("campaigns.campaign", "campaigns.contact", "campaigns.contactlist", "campaigns.import")),
    (_("Send"), ("accounts.smtpaccount", "sending.pacing", "sending.suppression")),
    (
        _("Look up"),
        (
            "sending.queuedemail",
            "sending.uncertainemail",
            "sending.sendlog",
            "sending.batch",
            "sending.heartbeat",
            "sending.export",
        ),
    ),
)


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
    found = [(title, [_link(models[key], path) for key in keys if key in models]) for title, keys in SECTIONS]
    return [(title, links) for title, links in found if links]


def _link(model: Mapping[str, Any], path: str) -> Link:
    url = model["admin_url"] or model["add_url"] or ""
    return Link(str(model["name"]), url, bool(url) and path.startswith(url))
