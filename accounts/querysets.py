from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

if TYPE_CHECKING:
    from accounts.models import SmtpAccount  # noqa: F401


class SmtpAccountQuerySet(models.QuerySet["SmtpAccount"]):
    def usable(self) -> "SmtpAccountQuerySet":
        """Accounts that may send now by Postgres' clock: enabled and not paused."""
        return self.filter(is_enabled=True).exclude(self._paused())

    @staticmethod
    def _paused() -> Q:
        return ~Q(pause_reason="") & (Q(paused_until=None) | Q(paused_until__gt=Now()))
