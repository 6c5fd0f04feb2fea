"""What the staff does meanwhile: mends accounts, resumes campaigns that were paused."""

from contextlib import suppress

from django.db.models import Q
from django.db.models.functions import Now

from accounts.actions import resume_account
from accounts.models import SmtpAccount
from campaigns import actions
from campaigns.models import Campaign

LIMIT = "daily limit"  # in the reason of a pause that only time mends


def mend() -> None:
    """Resumes all that is paused, but for accounts whose provider's limit is used up."""
    for account in _paused().exclude(pause_reason__contains=LIMIT):
        resume_account(account.pk, by="the staff")
    for campaign in Campaign.objects.filter(status="paused"):
        with suppress(actions.Refused):
            actions.resume_campaign(campaign)


def _paused():
    return SmtpAccount.objects.exclude(pause_reason="").filter(
        Q(paused_until=None) | Q(paused_until__gt=Now())
    )
