from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns.actions import Refused
from campaigns.models import Campaign


class CampaignCommand(BaseCommand):
    """A command on one campaign, named on the command line. A refusal ends it with exit code 1."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="The campaign's name.")

    def handle(self, *args: Any, name: str, **options: Any) -> str:
        try:
            return self.act(Campaign.objects.get(name=name))
        except Campaign.DoesNotExist:
            raise CommandError(f"There is no campaign “{name}”: queue_status lists them all.") from None
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal

    def act(self, campaign: Campaign) -> str:
        """Does it; returns the line to print."""
        raise NotImplementedError
