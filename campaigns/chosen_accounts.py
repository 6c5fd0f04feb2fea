"""A campaign with no account chosen uses all: so those that it has chosen must not vanish under it."""

from typing import Any

from django.utils.translation import gettext as _

from accounts.models import SmtpAccount
from campaigns import querysets


def why_it_stays(account: SmtpAccount, **_kwargs: Any) -> str:
    """Answers accounts.removal: which campaigns that are not over have chosen the account, or ""."""
    names = [f"“{campaign}”" for campaign in querysets.not_over(account.campaigns.order_by("name"))]
    if not names:
        return ""
    return _("It is chosen for %(campaigns)s: choose others there first, or disable it instead.") % {
        "campaigns": ", ".join(names)
    }
