from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.actions import change_account, resume_account
from accounts.management.options import add_options, find_account, given, sentence
from accounts.models import SmtpAccount

# What a check tries.
CONNECTION = {"email", "provider", "host", "port", "security", "username", "password"} | {
    "imap_host", "imap_port", "imap_security"
}  # fmt: skip


class Command(BaseCommand):
    help = "Changes an account: what is given, and nothing else."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", metavar="EMAIL", help="the account's address")
        add_options(parser, is_new=False)
        either = parser.add_mutually_exclusive_group()
        either.add_argument("--enable", action="store_true", help="mail may go out through it")
        either.add_argument("--disable", action="store_true", help="no mail goes out through it")
        parser.add_argument("--resume", action="store_true", help="ends its pause")

    def handle(self, *args: Any, **options: Any) -> None:
        account = find_account(options["account"])
        changes = given(options)
        if options["enable"] or options["disable"]:
            changes["is_enabled"] = options["enable"]
        if not changes and not options["resume"]:
            raise CommandError("Say what to change: change_account --help lists the options.")
        if changes:
            account = self._change(account, changes)
        if options["resume"]:
            was_paused = resume_account(account.pk, by="change_account")
            self.stdout.write(f"Resumed {account.email}" if was_paused else f"{account.email} was not paused")

    def _change(self, account: SmtpAccount, changes: dict[str, Any]) -> SmtpAccount:
        try:
            account = change_account(account, **changes)
        except ValidationError as error:
            raise CommandError(sentence(error)) from None
        said = dict.fromkeys(changes) | {"is_enabled": "enabled" if account.is_enabled else "disabled"}
        named = ", ".join(said[name] or name.replace("_", " ") for name in changes)
        self.stdout.write(f"Changed {account.email}: {named}")
        if CONNECTION & changes.keys():
            self.stdout.write(f"Try it: manage.py check_account {account.email}")
        return account
