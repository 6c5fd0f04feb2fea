from campaigns import actions
from campaigns.management.base import CampaignCommand
from campaigns.models import Campaign


class Command(CampaignCommand):
    help = "Sends a campaign's failed mails again, but for those to suppressed addresses."

    def act(self, campaign: Campaign) -> str:
        return actions.told_retried(campaign, actions.retry_failed(campaign))
