from django.apps import AppConfig
from django.db.models.signals import pre_delete


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import checks, removal  # noqa: F401 - checks registers them

        pre_delete.connect(removal.guard, sender="accounts.SmtpAccount")
