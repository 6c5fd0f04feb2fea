from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from accounts.checking import check_accounts
from accounts.models import SmtpAccount
from accounts.reply import one_line
from accounts.words import number


class Command(BaseCommand):
    help = "Connects and logs in, sends nothing, and says what is wrong and how to mend it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", nargs="?", help="The account's address; without it all accounts.")

    def handle(self, *args: Any, email: str | None, **options: Any) -> None:
        accounts = _accounts(email)
        failed = unread = 0
        for account, check in check_accounts(accounts, by="check_account"):
            failed += not check.ok
            unread += bool(check.unread)
            self.stdout.write(f"{'ok' if check.ok else 'FAILED':6}  {account.email}: {check}")
        if failed:
            told = ngettext(
                "%(failed)s of %(count)s account can't send: see what mends it above.",
                "%(failed)s of %(count)s accounts can't send: see what mends each above.",
                len(accounts),
            )
            raise CommandError(told % {"failed": number(failed), "count": number(len(accounts))})
        if unread:
            raise CommandError(
                f"{unread} of {len(accounts)} accounts send, but their Sent folder can't be read: see above."
            )


def _accounts(email: str | None) -> list[SmtpAccount]:
    accounts = list(SmtpAccount.objects.all())
    if email:
        accounts = [account for account in accounts if account.email.lower() == email.lower()]
    if not accounts:
        named = f" {one_line(email)}" if email else ""
        raise CommandError(f"There is no account{named}: add_account adds one.")
    return accounts
