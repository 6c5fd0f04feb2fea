import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.actions import add_account
from accounts.limits import Window
from accounts.presets import PRESETS, Provider, Security

_WINDOWS: dict[str, str] = {Window.ROLLING: "in 24 hours", Window.CALENDAR: "a calendar day"}
FIELDS = ("email", "host", "username", "name", "from_name", "reply_to")


class Command(BaseCommand):
    help = "Adds an account to send through. check_account then says whether it works."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True, help="the From address")
        parser.add_argument("--preset", choices=Provider.values, help="fills in host, port and security")
        parser.add_argument("--host", default="", help="needed without --preset")
        parser.add_argument("--port", type=int, help="needed without --preset")
        parser.add_argument("--security", choices=Security.values)
        parser.add_argument("--username", default="", help="without it: the address, if there is a password")
        parser.add_argument(
            "--password-env", metavar="VAR", help="the environment variable that holds the password"
        )
        parser.add_argument("--daily-limit", type=int, metavar="N", help="most mails in any 24 hours")
        parser.add_argument(
            "--calendar-day", metavar="ZONE", help="count from midnight to midnight there, e.g. Europe/Berlin"
        )
        parser.add_argument("--hourly-limit", type=int, metavar="N", help="most mails in any 60 minutes")
        parser.add_argument("--minute-limit", type=int, metavar="N", help="most mails in any 60 seconds")
        parser.add_argument(
            "--spacing",
            type=_pair(float, "S[,JITTER]"),
            metavar="S[,JITTER]",
            help="at least so many seconds between two mails; up to JITTER more, at random",
        )
        parser.add_argument(
            "--warm-up", type=_pair(int, "START[,STEP]"), metavar="START[,STEP]",
            help="mails on the first day, and how many more each day, until the daily limit",
        )  # fmt: skip
        parser.add_argument("--name", default="", help="what the team calls it; without it: the address")
        parser.add_argument("--from-name", default="", help="the name beside the From address")
        parser.add_argument("--reply-to", default="", help="where replies go")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["preset"] not in PRESETS:
            for option in ("host", "port"):
                if not options[option]:
                    raise CommandError(f"Give --{option}, or --preset {'|'.join(PRESETS)}.")
        fields = {name: options[name] for name in FIELDS}
        fields["password"] = _password(options["password_env"])
        for field, option in {
            "provider": "preset", "port": "port", "security": "security", "daily_limit": "daily_limit",
        }.items():  # fmt: skip
            if options[option] is not None:
                fields[field] = options[option]
        fields |= _limits(options)
        try:
            account = add_account(**fields)
        except ValidationError as error:
            raise CommandError(_sentence(error)) from None
        self.stdout.write(
            f"Added {account.email}: at most {account.daily_limit:,} mails {_WINDOWS[account.limit_window]}. "
            f"Try it: manage.py check_account {account.email}"
        )


def _pair(number: type, form: str) -> Callable[[str], tuple[Any, ...]]:
    """Reads one number, or two with a comma between."""

    def read(text: str) -> tuple[Any, ...]:
        try:
            numbers = tuple(number(part) for part in text.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) not in (1, 2):
            raise ArgumentTypeError(f"{text!r} is not {form}, in numbers")
        return numbers

    return read


def _limits(options: dict[str, Any]) -> dict[str, Any]:
    """The account's fields that the options for limits set."""
    fields = {name: options[name] for name in ("hourly_limit", "minute_limit") if options[name] is not None}
    if options["calendar_day"] is not None:
        fields |= {"limit_window": Window.CALENDAR, "time_zone": options["calendar_day"]}
    for option, names in {
        "spacing": ("spacing", "spacing_jitter"), "warm_up": ("warm_up_start", "warm_up_step"),
    }.items():  # fmt: skip
        fields |= dict(zip(names, options[option] or (), strict=False))
    return fields


def _password(variable: str | None) -> str:
    if variable is None:
        return ""
    password = os.environ.get(variable)
    if not password:
        raise CommandError(f"The environment variable {variable} is not set: put the password into it.")
    if any("\ud800" <= char <= "\udfff" for char in password):  # how Python shows what is no UTF-8
        raise CommandError(f"What the environment variable {variable} holds is not UTF-8.")
    return password


def _sentence(error: ValidationError) -> str:
    """All reasons on one line, each with the field that it is about."""
    parts = []
    for field, reasons in error.message_dict.items():
        about = "" if field == NON_FIELD_ERRORS else field.replace("_", " ").capitalize() + ": "
        parts += [about + reason for reason in reasons]
    return " ".join(dict.fromkeys(parts))
