from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sending import health, watchdog


class Command(BaseCommand):
    help = (
        "Runs `qcluster`, and starts it anew when it ended, takes no work, or lets due mail lie. "
        "Ends it, and itself, on SIGTERM or Ctrl-C."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="only say whether sending is well: exit code 0, or 1"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self._say()
        else:
            watchdog.Watchdog().run()

    def _say(self) -> None:
        seen = health.look()
        if not seen.is_well:
            raise CommandError(str(seen))
        self.stdout.write(str(seen))
