from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Exists, OuterRef, Sum

from campaigns.models import Campaign
from sending.models import QueuedEmail, Tally
from sending.status import OPEN


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
    """Those that may still send: unqueued ones, and sending or paused ones with a mail in no final state."""
    moving = [one for one in campaigns if one.status != Campaign.Status.CANCELLED]
    counts = progress(one.pk for one in moving)
    return [
        one
        for one in moving
        if one.status in (Campaign.Status.DRAFT, Campaign.Status.QUEUEING)
        or not set(counts.get(one.pk, {})) <= set(QueuedEmail.FINAL)
    ]


def has_open_mails() -> Exists:
    """Whether any mail of the campaign can still move, by the tally: for a filter of campaigns."""
    rows = Tally.objects.filter(campaign=OuterRef("pk"), status__in=OPEN).values("campaign")
    return Exists(rows.annotate(total=Sum("count")).filter(total__gt=0))
