from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from campaigns import actions, merge_fields


class Command(BaseCommand):
    help = "Makes a campaign from files. Nothing is sent before send_campaign."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--name", required=True, type=_utf8, help="What the team calls it; each name once."
        )
        parser.add_argument(
            "--subject", required=True, type=_utf8, help="May hold merge fields: {{ first_name }}."
        )
        parser.add_argument("--html", required=True, type=Path, metavar="FILE", help="UTF-8.")
        parser.add_argument(
            "--text", type=Path, metavar="FILE", help="UTF-8; without it the text is made from the HTML."
        )
        parser.add_argument(
            "--list", required=True, action="append", dest="lists", type=_utf8, metavar="NAME",
            help="Who gets it; may be given more than once.",
        )  # fmt: skip

    def handle(self, *args: Any, name: str, subject: str, lists: list[str], **options: Any) -> None:
        html = _read(options["html"])
        text = _read(options["text"]) if options["text"] else ""
        try:
            campaign = actions.create_campaign(name=name, subject=subject, html=html, text=text, lists=lists)
        except actions.Refused as refusal:
            raise CommandError(str(refusal)) from None
        contacts = merge_fields.coverage(campaign).contacts
        self.stdout.write(f"Created campaign “{campaign}” for {contacts:,} contacts")
        for note in merge_fields.notes(campaign):
            self.stdout.write(note)


def _utf8(argument: str) -> str:
    if not argument.isprintable():
        raise ArgumentTypeError("has a line break or another character that can't be printed")
    return argument


def _read(path: Path) -> str:
    """The file's text, without a byte order mark."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{path} is not UTF-8 (line {line}): save it as UTF-8 and try again.") from None
