import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns.importing import ImportRefused, import_contacts


class Command(BaseCommand):
    help = "Imports contacts from a CSV or Excel file into a list, which is made if it doesn't exist."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a CSV or .xlsx file with a header row")
        parser.add_argument("--list", required=True, metavar="NAME", help="the list to put them in")
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            with path.open("rb") as file:
                report = import_contacts(file, path.name, options["list"])
        except OSError as error:
            raise CommandError(f"{path} can't be read: {error.strerror}.") from error
        except ImportRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(
            json.dumps(report.as_dict(), ensure_ascii=False) if options["json"] else str(report)
        )
