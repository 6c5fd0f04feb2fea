from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import ngettext

from accounts.actions import encrypt_passwords_anew
from accounts.secrets import UndecryptableSecret
from accounts.words import number


class Command(BaseCommand):
    help = "Encrypts the accounts' passwords with the first of CREDENTIAL_KEYS, so that old keys can go."

    def handle(self, *args: Any, **options: Any) -> str:
        try:
            count = encrypt_passwords_anew()
        except UndecryptableSecret as error:
            raise CommandError(str(error)) from None
        told = ngettext(
            "Encrypted %(count)s password with the first key",
            "Encrypted %(count)s passwords with the first key",
            count,
        )
        return told % {"count": number(count)}
