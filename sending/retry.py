"""The retry job: mails whose time has come go back to pending, where capacity is left."""

import logging

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import SmtpAccount
from sending import capacity
from sending.campaign import ORDER, campaign_model
from sending.models import QueuedEmail

logger = logging.getLogger(__name__)


def retry_due() -> int:
    """Moves due retries back to pending; returns how many.

    A campaign gets no more back than its accounts have left, nothing while it is paused: what can't
    be sent now keeps its place, and says so.
    """
    due = QueuedEmail.objects.filter(status=QueuedEmail.Status.RETRY, next_attempt_at__lte=Now())
    campaigns = list(due.order_by("campaign").values_list("campaign", flat=True).distinct())
    if not campaigns:
        return 0
    left = capacity.remaining(SmtpAccount.objects.usable().values_list("id", flat=True))
    sending = campaign_model().objects.filter(Q(pk__in=campaigns, status="sending"))
    moved = 0
    for campaign in sending.order_by(*ORDER).prefetch_related("accounts"):
        own = {account.pk for account in campaign.accounts.all()} or set(left)
        moved += _move(campaign.pk, sum(n for pk, n in left.items() if pk in own))
    if moved:
        logger.info("Due for their retry and back in the queue: %s", moved)
    return moved


def _move(campaign: int, count: int) -> int:
    with transaction.atomic():
        due = (
            QueuedEmail.objects.filter(
                campaign=campaign, status=QueuedEmail.Status.RETRY, next_attempt_at__lte=Now()
            )
            .order_by("id")
            .select_for_update(skip_locked=True)
            .values_list("id", flat=True)[:count]
        )
        return QueuedEmail.objects.filter(pk__in=list(due), status=QueuedEmail.Status.RETRY).update(
            status=QueuedEmail.Status.PENDING,
            next_attempt_at=None,
            account=None,
            batch=None,
            position=None,
        )
