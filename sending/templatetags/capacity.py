"""What accounts have left, for the accounts' pages, and lengths of time: {% load capacity %}.

The room of the accounts knows nothing of sending; so its templates ask here.
"""

from django import template

from accounts.models import SmtpAccount
from sending import coming, durations
from sending.limit_words import LIMITS

register = template.Library()


@register.simple_tag
def coming_of(account: SmtpAccount) -> coming.Coming:
    """What this account can take now and within 24 hours, as it is stored."""
    return coming.of(SmtpAccount.objects.filter(pk=account.pk))


@register.simple_tag
def coming_of_all() -> coming.Coming:
    """The same of all accounts together."""
    return coming.of(SmtpAccount.objects.all())


@register.filter
def limit_in_words(held_by: str) -> str:
    """What people call the limit that holds an account: "24 h limit"."""
    return str(LIMITS.get(held_by, held_by))


@register.filter
def in_words(seconds: float) -> str:
    """Seconds as people tell them: "1 hour 2 minutes"."""
    return durations.in_words(seconds)
