from collections import defaultdict
from collections.abc import Iterable

from django.db.models import Sum

from sending.models import Tally


def progress(campaign_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many mails of each campaign are in each state of the queue: {campaign: {status: count}}.

    One query, for any number of campaigns; states without mails are left out.
    """
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    rows = Tally.objects.filter(campaign__in=list(campaign_ids)).values_list("campaign_id", "status")
    for campaign, status, count in rows.annotate(total=Sum("count")).filter(total__gt=0):
        counts[campaign][status] = count
    return counts
