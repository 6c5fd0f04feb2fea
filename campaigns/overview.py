"""What the list of campaigns shows of sending: the state, truly, with "finished"; progress, and the end."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns import querysets
from campaigns.models import Campaign
from sending import outlook
from sending.status import queue_status

Status = Campaign.Status
FINISHED = "finished"


class StateFilter(admin.SimpleListFilter):
    """By state. One that is being sent and has nothing left to do is finished, as everywhere else."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, Any]]:
        return [*Status.choices[:-1], (FINISHED, _("Finished")), Status.choices[-1]]

    def queryset(self, request: HttpRequest, campaigns: QuerySet) -> QuerySet:
        if self.value() == FINISHED:
            return campaigns.filter(~querysets.has_open_mails(), status=Status.SENDING)
        if self.value() == Status.SENDING:
            return campaigns.filter(querysets.has_open_mails(), status=Status.SENDING)
        return campaigns.filter(status=self.value()) if self.value() else campaigns


def look(campaigns: Iterable[Campaign]) -> None:
    """Gives each campaign its `outlook`: its entry of sending.outlook. A constant number of queries."""
    campaigns = list(campaigns)
    status = queue_status()
    wanted = {campaign.pk for campaign in campaigns}
    entries = [one for one in status["campaigns"] if one["id"] in wanted]
    found = {one["id"]: one for one in outlook.of(entries, status, timezone.localtime())}
    for campaign in campaigns:
        campaign.outlook = found[campaign.pk]  # type: ignore[attr-defined]


class Overview:
    """Columns of the list, for CampaignAdmin; its list looks first."""

    @admin.display(description=_("state"))
    def state(self, campaign: Any) -> str:
        return render_to_string("partials/chip.html", _words(campaign))

    @admin.display(description=_("progress"))
    def how_far(self, campaign: Any) -> str:
        """A bar that leads to the tracking page."""
        url = reverse("admin:campaigns_campaign_progress", args=[campaign.pk])
        return render_to_string(
            "admin/campaigns/campaign/how_far.html", {"entry": campaign.outlook, "url": url}
        )


def _words(campaign: Any) -> dict[str, Any]:
    return {"tone": campaign.outlook["tone"], "label": campaign.outlook["label"]}
