"""The options of an account on the command line, for add_account and change_account alike."""

import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.management.base import CommandError

from accounts.limits import Window
from accounts.models import SmtpAccount, WhenUnproven
from accounts.presets import ImapSecurity, Provider, Security
from accounts.reply import one_line

# Option (as argparse names it): field of SmtpAccount. A new option needs its line here and in add_options.
FIELDS = {
    "email": "email",
    "preset": "provider",
    "host": "host",
    "port": "port",
    "security": "security",
    "username": "username",
    "daily_limit": "daily_limit",
    "name": "name",
    "from_name": "from_name",
    "reply_to": "reply_to",
    "hourly_limit": "hourly_limit",
    "minute_limit": "minute_limit",
    "imap_host": "imap_host",
    "imap_port": "imap_port",
    "imap_security": "imap_security",
    "when_unproven": "when_unproven",
}
# Options of one value or two, and the fields that these are for.
PAIRS = {"spacing": ("spacing", "spacing_jitter"), "warm_up": ("warm_up_start", "warm_up_step")}


def add_options(parser: ArgumentParser, *, is_new: bool) -> None:
    """Declares them. Each is None where it is not given; a new account needs its address."""
    parser.add_argument("--email", required=is_new, help="the From address")
    parser.add_argument("--preset", choices=Provider.values, help="fills in host, port and security")
    parser.add_argument("--host", help="a new account needs it, or --preset")
    parser.add_argument("--port", type=int, help="a new account needs it, or --preset")
    parser.add_argument("--security", choices=Security.values)
    parser.add_argument("--username", help="without it: the address, if there is a password")
    parser.add_argument(
        "--password-env", metavar="VAR", help="the environment variable that holds the password"
    )
    parser.add_argument("--daily-limit", type=int, metavar="N", help="most mails in any 24 hours")
    _add_limits(parser)
    _add_sent_folder(parser)
    parser.add_argument("--name", help="what the team calls it; without it: the address")
    parser.add_argument("--from-name", help="the name beside the From address")
    parser.add_argument("--reply-to", help="where replies go")


def _add_limits(parser: ArgumentParser) -> None:
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


def _add_sent_folder(parser: ArgumentParser) -> None:
    parser.add_argument("--imap-host", help="where its Sent folder is read; --preset knows")
    parser.add_argument("--imap-port", type=int, help="without it: the usual one")
    parser.add_argument("--imap-security", choices=ImapSecurity.values)
    parser.add_argument(
        "--when-unproven", choices=WhenUnproven.values,
        help="what becomes of mail that is not found in the Sent folder; without it: hold for a person",
    )  # fmt: skip


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


def given(options: dict[str, Any]) -> dict[str, Any]:
    """What was given, as arguments of the actions: fields of SmtpAccount, and the password."""
    fields = {field: options[option] for option, field in FIELDS.items() if options[option] is not None}
    if options["calendar_day"] is not None:
        fields |= {"limit_window": Window.CALENDAR, "time_zone": options["calendar_day"]}
    for option, names in PAIRS.items():
        fields |= dict(zip(names, options[option] or (), strict=False))
    password = _password(options["password_env"])
    return {**fields, "password": password} if password else fields


def find_account(email: str) -> SmtpAccount:
    """The account of this address, in any case. Raises CommandError where there is none."""
    account = SmtpAccount.objects.filter(email__iexact=email).first() if email.isprintable() else None
    if account is None:
        raise CommandError(f"There is no account {one_line(email)}: queue_status lists them all.")
    return account


def sentence(error: ValidationError) -> str:
    """All reasons on one line, each with the field that it is about."""
    parts = []
    for field, reasons in error.message_dict.items():
        about = "" if field == NON_FIELD_ERRORS else field.replace("_", " ").capitalize() + ": "
        parts += [about + reason for reason in reasons]
    return " ".join(dict.fromkeys(parts))


def _password(variable: str | None) -> str:
    if variable is None:
        return ""
    password = os.environ.get(variable)
    if not password:
        raise CommandError(f"The environment variable {variable} is not set: put the password into it.")
    if any("\ud800" <= char <= "\udfff" for char in password):  # how Python shows what is no UTF-8
        raise CommandError(f"What the environment variable {variable} holds is not UTF-8.")
    return password
