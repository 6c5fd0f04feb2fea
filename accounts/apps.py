from django.apps import AppConfig
from django.db.models.signals import pre_delete
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from accounts import checks, removal  # noqa: F401 - checks registers them

        pre_delete.connect(removal.guard, sender="accounts.SmtpAccount")
