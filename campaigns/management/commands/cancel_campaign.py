from campaigns import actions
from campaigns.management.base import CampaignCommand
from campaigns.models import Campaign


class Command(CampaignCommand):
    help = "Ends a campaign for good."

    def act(self, campaign: Campaign) -> str:
        return actions.told_cancelled(campaign, actions.cancel_campaign(campaign))
