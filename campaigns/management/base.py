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
        self.options = options
        try:
            return self.act(campaign_named(name))
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal

    def act(self, campaign: Campaign) -> str:
        """Does it; returns the line to print. self.options: what else the command line says."""
        raise NotImplementedError


def campaign_named(name: str) -> Campaign:
    """The campaign of this name. Raises CommandError."""
    try:
        return Campaign.objects.get(name=name)
    except Campaign.DoesNotExist:
        raise CommandError(f"There is no campaign “{name}”: queue_status lists them all.") from None
