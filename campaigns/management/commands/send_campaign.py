from campaigns import actions
from campaigns.management.base import CampaignCommand
from campaigns.models import Campaign


class Command(CampaignCommand):
    help = "Queues a campaign for everybody on its lists."

    def act(self, campaign: Campaign) -> str:
        return actions.send_campaign(campaign)
