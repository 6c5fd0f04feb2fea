from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from accounts.words import number
from campaigns import actions, files, merge_fields


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

        parser.add_argument(
            "--account", action="append", dest="accounts", default=[], type=_utf8, metavar="EMAIL",
            help="Goes out over this one; may be given more than once. Without it: over all of them.",
        )  # fmt: skip
        parser.add_argument(
            "--attach", action="append", dest="attachments", default=[], type=Path, metavar="FILE",
            help="Goes out with each mail; may be given more than once.",
        )  # fmt: skip
        parser.add_argument(
            "--start", dest="scheduled_at", type=_moment, metavar='"YYYY-MM-DD HH:MM"',
            help=f"Nothing goes out before this time ({settings.TIME_ZONE}).",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            campaign = actions.create_campaign(
                html=_read(options["html"]),
                text=_read(options["text"]) if options["text"] else "",
                attachments=[_attachment(path) for path in options["attachments"]],
                **{name: options[name] for name in ("name", "subject", "lists", "accounts", "scheduled_at")},
            )
        except actions.Refused as refusal:
            raise CommandError(str(refusal)) from None
        contacts = merge_fields.coverage(campaign).contacts
        told = ngettext(
            "Created campaign “%(campaign)s” for %(count)s contact",
            "Created campaign “%(campaign)s” for %(count)s contacts",
            contacts,
        )
        self.stdout.write(told % {"campaign": campaign, "count": number(contacts)})
        for note in merge_fields.notes(campaign):
            self.stdout.write(note)


def _utf8(argument: str) -> str:
    if not argument.isprintable():
        raise ArgumentTypeError("has a line break or another character that can't be printed")
    return argument


def _moment(argument: str) -> datetime:
    """The time in TIME_ZONE; none that the clock skips or shows twice."""
    try:
        return forms.DateTimeField(input_formats=["%Y-%m-%d %H:%M"]).clean(argument)
    except ValidationError as error:
        wanted = 'write it as "2030-12-31 08:30"'
        raise ArgumentTypeError(f"is no time: {' '.join(error.messages)} ({wanted})") from None


def _attachment(path: Path) -> tuple[str, bytes]:
    """Name and content; a file that is too large is refused before it is read."""
    try:
        if problem := files.problem(path.name, path.stat().st_size if path.is_file() else 1):
            raise CommandError(problem)
        return path.name, path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from None


def _read(path: Path) -> str:
    """The file's text, without a byte order mark."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{path} is not UTF-8 (line {line}): save it as UTF-8 and try again.") from None
