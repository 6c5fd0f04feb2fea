from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.actions import Refused, remove_account
from accounts.management.options import find_account


class Command(BaseCommand):
    help = "Removes an account that has sent nothing and that no campaign needs. Disable it otherwise."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", metavar="EMAIL", help="the account's address")

    def handle(self, *args: Any, account: str, **options: Any) -> str:
        found = find_account(account)
        try:
            remove_account(found)
        except Refused as refusal:
            raise CommandError(str(refusal)) from None
        return f"Removed {found.email}"
