"""What was sent to an address, and what is still to be."""

from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Lower

from sending.campaign import campaign_model
from sending.models import QueuedEmail, SendLog
from sending.suppression import why_not_sent


def mails_to(address: str) -> QuerySet[QueuedEmail]:
    """Queue rows of an address. Naming the campaigns lets the index on campaign and address serve."""
    campaigns = list(campaign_model().objects.order_by().values_list("pk", flat=True))
    lowered = QueuedEmail.objects.order_by().alias(address=Lower("email"))
    return lowered.filter(campaign__in=campaigns, address=address.strip().lower())


def history_of(address: str, most: int) -> list[QueuedEmail]:
    """The newest mails to an address, each with campaign, account and its attempts (log), oldest first.

    `note` says of one that waits and will not be sent why not; of all others it is "".
    """
    attempts = SendLog.objects.select_related("account").order_by("id")
    mails = mails_to(address).select_related("campaign", "account").order_by("-id")
    found = list(mails.prefetch_related(Prefetch("log", attempts))[:most])
    not_sent = why_not_sent(found)
    for mail in found:
        mail.note = not_sent.get(mail.pk, "")  # type: ignore[attr-defined]
    return found
