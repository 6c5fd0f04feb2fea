import sys
from typing import Any

from django.core.management.base import BaseCommand

from config.demo import own_data


class Command(BaseCommand):
    help = (
        "Shows the main job on this machine: three accounts with small limits, a list of 400, one "
        "campaign, a real qcluster. Works on data of its own (var/demo), made afresh each time."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(own_data.run())
