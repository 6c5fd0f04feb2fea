"""The admin's actions that move campaigns in the order of sending; the rule stands in order_actions."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from campaigns import order_actions
from campaigns.models import Campaign
from sending.campaign import ORDER, PLACE


class Moving:
    """For CampaignAdmin. Several that are moved at once keep their order among themselves."""

    _each: Callable[..., None]
    message_user: Callable[..., None]

    @admin.action(description=_lazy("Send before all others"), permissions=["send"])
    def first(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        def move(campaign: Campaign) -> str:
            order_actions.move_first(campaign)
            return _("“%s” goes before all others now") % campaign

        self._each(request, campaigns, move, order=(PLACE.desc(), "-id"))

    @admin.action(description=_lazy("Send after all others"), permissions=["send"])
    def last(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        def move(campaign: Campaign) -> str:
            order_actions.move_last(campaign)
            return _("“%s” goes after all others now") % campaign

        self._each(request, campaigns, move, order=ORDER)

    def before(self, request: HttpRequest, campaigns: QuerySet[Campaign], other: str) -> None:
        """Moves the campaign before the one of this id. A form's, not of the list."""
        target = Campaign.objects.filter(pk=int(other)).first() if other.isdecimal() else None
        if target is None:
            told = _("Choose the campaign that it shall go before.")
            self.message_user(request, told, messages.ERROR)
            return

        def move(campaign: Campaign) -> str:
            order_actions.move_before(campaign, target)
            return _("“%(campaign)s” goes before “%(other)s” now") % {"campaign": campaign, "other": target}

        self._each(request, campaigns, move)
