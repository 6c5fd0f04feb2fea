"""What a person can do with the order of sending: campaigns go as they were queued, until one is moved."""

import logging
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max, Min, Q, QuerySet
from django.utils.translation import gettext as _

from campaigns.actions import Refused
from campaigns.models import Campaign
from sending import schedules
from sending.campaign import PLACE

logger = logging.getLogger(__name__)
LOCK = 0x6F726472  # "ordr": Postgres' advisory lock of those who move campaigns
MOMENT = timedelta(microseconds=1)  # the least that two places can differ by


@transaction.atomic
def move_first(campaign: Campaign) -> None:
    """Sends the campaign before all others; nothing else changes its place."""
    _movable(campaign)
    _put(campaign, _others(campaign).aggregate(at=Min(PLACE))["at"], -MOMENT)


@transaction.atomic
def move_last(campaign: Campaign) -> None:
    """Sends the campaign after all others that are queued now; one that is queued later comes after it."""
    _movable(campaign)
    _put(campaign, _others(campaign).aggregate(at=Max(PLACE))["at"], MOMENT)


@transaction.atomic
def move_before(campaign: Campaign, other: Campaign) -> None:
    """Sends the campaign just before this other one; all others keep their order."""
    _movable(campaign)
    if other.pk == campaign.pk:
        raise Refused(_("“%s” can't go before itself.") % campaign)
    at, pk = _movable(other)
    earlier = Q(place__lt=at) | Q(place=at, pk__lt=pk)
    _others(campaign).filter(earlier).update(place_at=PLACE - 2 * MOMENT)
    _put(campaign, at, -MOMENT)


def _movable(campaign: Campaign) -> tuple[datetime, int]:
    """What the campaign's place is made of, while nobody else moves any. Raises Refused."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    current = Campaign.objects.annotate(place=PLACE).get(pk=campaign.pk)
    if current.status not in (Campaign.Status.SENDING, Campaign.Status.PAUSED):
        told = {"campaign": current, "status": current.get_status_display().lower()}
        raise Refused(_("“%(campaign)s” is %(status)s: it has no place in the order of sending.") % told)
    return current.place, current.pk


def _others(campaign: Campaign) -> QuerySet[Campaign]:
    """All other campaigns that were ever queued."""
    return Campaign.objects.exclude(pk=campaign.pk).filter(queued_at__isnull=False).annotate(place=PLACE)


def _put(campaign: Campaign, beside: datetime | None, distance: timedelta) -> None:
    """Gives the campaign the place beside this one; None: it is the only one."""
    if beside is not None:
        Campaign.objects.filter(pk=campaign.pk).update(place_at=beside + distance)
    schedules.wake_up()
    campaign.refresh_from_db()
    logger.info("Campaign %s was moved in the order of sending", campaign.pk)
