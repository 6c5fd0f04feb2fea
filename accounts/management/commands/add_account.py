from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from accounts.actions import add_account
from accounts.limits import Window
from accounts.management.options import add_options, given, sentence
from accounts.presets import PRESETS
from accounts.words import number

WINDOWS: dict[str, str] = {Window.ROLLING: "in 24 hours", Window.CALENDAR: "a calendar day"}


class Command(BaseCommand):
    help = "Adds an account to send through. check_account then says whether it works."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_options(parser, is_new=True)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["preset"] not in PRESETS:
            for option in ("host", "port"):
                if not options[option]:
                    raise CommandError(f"Give --{option}, or --preset {'|'.join(PRESETS)}.")
        try:
            account = add_account(**given(options))
        except ValidationError as error:
            raise CommandError(sentence(error)) from None
        told = ngettext(
            "Added %(email)s: at most %(count)s mail %(window)s. Try it: manage.py check_account %(email)s",
            "Added %(email)s: at most %(count)s mails %(window)s. Try it: manage.py check_account %(email)s",
            account.daily_limit,
        )
        self.stdout.write(
            told
            % {
                "email": account.email,
                "count": number(account.daily_limit),
                "window": WINDOWS[account.limit_window],
            }
        )
