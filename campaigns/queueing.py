"""Puts a campaign's recipients into the queue: in one statement, or, where they are many, by a worker.

A worker collects them once, as the statement would, and inserts them step by step for the sake of its
progress, all in one transaction: nobody is queued before all are.
"""

import logging
from datetime import datetime
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from accounts.words import number
from campaigns import recipients
from campaigns.models import Campaign, Queueing
from campaigns.recipients import IS_MEMBER, IS_QUEUED, IS_SUPPRESSED
from sending import schedules
from sending.longwork import running
from sending.longwork.running import HELD_NO_MORE, Interrupted, Progress, WorkRefused

logger = logging.getLogger(__name__)
Status = Campaign.Status
STEP = 20_000  # rows in a statement of a worker
GIVEN_UP = _lazy(
    "The worker ended three times in the midst of it, and nobody was queued. See the worker's log."
)
FAILED = _lazy("Queueing failed (%s), and nobody was queued. See the worker's log.")

# Who is to be queued: each contact of the lists once, but for the suppressed and those queued before.
RECIPIENTS = f"campaigns_contact contact WHERE {IS_MEMBER} AND NOT {IS_SUPPRESSED} AND NOT {IS_QUEUED}"
INSERT = """
INSERT INTO sending_queuedemail
    (campaign_id, contact_id, email, status, attempts, message_id, last_reply, queued_at)
SELECT %(campaign)s, contact.id, contact.email, 'pending', 0, '', '', now()
FROM {recipients}
ORDER BY contact.id
ON CONFLICT (campaign_id, lower(email)) DO NOTHING
"""
QUEUE = INSERT.format(recipients=RECIPIENTS)
COLLECT = f"""
DROP TABLE IF EXISTS pg_temp.recipient;
CREATE TEMPORARY TABLE recipient ON COMMIT DROP AS
SELECT contact.id, contact.email, row_number() OVER (ORDER BY contact.id) AS number FROM {RECIPIENTS};
ALTER TABLE pg_temp.recipient ADD PRIMARY KEY (number)
"""  # noqa: S608
QUEUE_STEP = INSERT.format(
    recipients="pg_temp.recipient contact WHERE number > %(after)s AND number <= %(upto)s"
)


def insert(campaign_id: int) -> int:
    """Queues all recipients who are not queued yet, in their order; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(QUEUE, recipients.parameters(campaign_id))
        return cursor.rowcount


def locked(campaign: Campaign) -> Campaign:
    """The campaign as it is now, with nobody else changing it while the transaction lasts.

    Mails can be queued meanwhile: their foreign key asks for less.
    """
    return Campaign.objects.select_for_update(of=("self",), no_key=True).get(pk=campaign.pk)


def mark_queued(campaign: Campaign, user: Any, at: datetime | None = None) -> None:
    """Has a locked campaign sent, if it is not already; at: when it was asked for, or now."""
    status = Status.SENDING if campaign.status in (Status.DRAFT, Status.QUEUEING) else campaign.status
    Campaign.objects.filter(pk=campaign.pk).update(
        status=status,
        queued_at=Coalesce("queued_at", Value(at) if at else Now()),
        queued_by=campaign.queued_by or user,
    )
    schedules.wake_up()


def told_queued(count: int) -> str:
    """What is told when so many mails were queued."""
    if not count:
        return _("Queued 0 emails for sending: everybody on its lists was queued before")
    told = ngettext("Queued %(count)s email for sending", "Queued %(count)s emails for sending", count)
    return told % {"count": number(count)}


def at_work(campaign: Campaign) -> Queueing | None:
    """What a worker has to do, or is doing, for this campaign."""
    return campaign.queueings.filter(state__in=Queueing.IN_WORK).first()


def begin(campaign: Campaign, count: int, user: Any) -> Queueing:
    """Has a worker queue about so many recipients of a locked campaign."""
    if campaign.status == Status.DRAFT:
        Campaign.objects.filter(pk=campaign.pk).update(status=Status.QUEUEING)
    queueing = Queueing.objects.create(campaign=campaign, expected=count, created_by=user)
    running.wake_up()
    return queueing


def stop(campaign: Campaign) -> bool:
    """Takes a locked campaign out of a worker's hand, with nobody queued; False when none was at it."""
    stopped = Queueing.objects.filter(campaign=campaign, state__in=Queueing.IN_WORK)
    _back_to_draft(campaign)
    return bool(stopped.update(state=Queueing.State.CANCELLED, finished_at=Now(), **HELD_NO_MORE))


def run(queueing: Queueing, progress: Progress) -> dict[str, Any]:
    """A worker's part, as sending.longwork runs it."""
    queued = _insert_in_steps(queueing.campaign_id, progress)
    campaign = locked(queueing.campaign)
    if campaign.status == Status.CANCELLED:
        raise Interrupted
    if not queued and campaign.status == Status.QUEUEING:
        raise WorkRefused(_("It has no recipients: choose a list with contacts not suppressed."))
    mark_queued(campaign, queueing.created_by, at=queueing.created_at)
    logger.info("Campaign %s: %s queued", campaign.pk, f"{queued:,}")
    if queueing.created_by_id:
        told = told_queued(queued)
        LogEntry.objects.log_actions(queueing.created_by_id, [campaign], CHANGE, told, single_object=True)
    return {"state": Queueing.State.DONE, "rows_done": queued}


def refused(queueing: Queueing) -> None:
    """Gives a campaign that could not be queued back to those who write it."""
    _back_to_draft(locked(queueing.campaign))


def _insert_in_steps(campaign_id: int, progress: Progress) -> int:
    queued = 0
    with connection.cursor() as cursor:
        cursor.execute(COLLECT, recipients.parameters(campaign_id))
        cursor.execute("SELECT count(*) FROM pg_temp.recipient")
        progress.total = cursor.fetchone()[0]
        for after in range(0, progress.total, STEP):
            upto = min(after + STEP, progress.total)
            cursor.execute(QUEUE_STEP, {"campaign": campaign_id, "after": after, "upto": upto})
            queued += cursor.rowcount
            progress.step(upto - after)
    return queued


def _back_to_draft(campaign: Campaign) -> None:
    Campaign.objects.filter(pk=campaign.pk, status=Status.QUEUEING).update(status=Status.DRAFT)
