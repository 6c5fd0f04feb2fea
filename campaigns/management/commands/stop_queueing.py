from campaigns import actions
from campaigns.management.base import CampaignCommand
from campaigns.models import Campaign


class Command(CampaignCommand):
    help = "Stops a worker that is queueing a campaign: what was queued before stays, nobody more is queued."

    def act(self, campaign: Campaign) -> str:
        actions.stop_queueing(campaign)
        return actions.told_stopped(campaign)
