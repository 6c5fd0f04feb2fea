from campaigns import actions
from campaigns.management.base import CampaignCommand
from campaigns.models import Campaign


class Command(CampaignCommand):
    help = "Stops a campaign until it is resumed."

    def act(self, campaign: Campaign) -> str:
        actions.pause_campaign(campaign)
        return f"Paused “{campaign}”: a batch that has begun stops before its next mail"
