from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Sum

from campaigns.models import Campaign
from sending.models import QueuedEmail, Tally


def progress(campaign_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many mails of each campaign are in each state of the queue: {campaign: {status: count}}.

    One query, for any number of campaigns; states without mails are left out.
    """
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    rows = Tally.objects.filter(campaign__in=list(campaign_ids)).values_list("campaign_id", "status")
    for campaign, status, count in rows.annotate(total=Sum("count")).filter(total__gt=0):
        counts[campaign][status] = count
    return counts


def not_over(campaigns: Iterable[Campaign]) -> list[Campaign]:
    """Those that may still send: drafts, and sending or paused ones with a mail in no final state."""
    moving = [one for one in campaigns if one.status != Campaign.Status.CANCELLED]
    counts = progress(one.pk for one in moving)
    return [
        one
        for one in moving
        if one.status == Campaign.Status.DRAFT or not set(counts.get(one.pk, {})) <= set(QueuedEmail.FINAL)
    ]
