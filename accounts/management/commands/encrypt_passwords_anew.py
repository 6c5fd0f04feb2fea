from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.actions import encrypt_passwords_anew
from accounts.secrets import UndecryptableSecret


class Command(BaseCommand):
    help = "Encrypts the accounts' passwords with the first of CREDENTIAL_KEYS, so that old keys can go."

    def handle(self, *args: Any, **options: Any) -> str:
        try:
            return f"Encrypted {encrypt_passwords_anew()} passwords with the first key"
        except UndecryptableSecret as error:
            raise CommandError(str(error)) from None
