from campaigns import actions
from campaigns.management.base import CampaignCommand
from campaigns.models import Campaign


class Command(CampaignCommand):
    help = "Lets a paused campaign go on."

    def act(self, campaign: Campaign) -> str:
        actions.resume_campaign(campaign)
        return f"Resumed “{campaign}”"
