from argparse import ArgumentParser

from campaigns import order_actions
from campaigns.management.base import CampaignCommand, campaign_named
from campaigns.models import Campaign


class Command(CampaignCommand):
    help = "Changes a campaign's place in the order of sending."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        place = parser.add_mutually_exclusive_group(required=True)
        place.add_argument("--first", action="store_true", help="Before all others.")
        place.add_argument("--before", metavar="NAME", help="Just before this campaign.")
        place.add_argument("--last", action="store_true", help="After all others.")

    def act(self, campaign: Campaign) -> str:
        if self.options["first"]:
            order_actions.move_first(campaign)
            return f"“{campaign}” goes before all others now"
        if self.options["last"]:
            order_actions.move_last(campaign)
            return f"“{campaign}” goes after all others now"
        other = campaign_named(self.options["before"])
        order_actions.move_before(campaign, other)
        return f"“{campaign}” goes before “{other}” now"
