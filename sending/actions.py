"""What a person can do with the queue: knobs, cancelled rest, failed again, uncertain resolved."""

import logging
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Sum
from django.db.models.functions import Now
from django.utils.translation import ngettext

from accounts.words import number
from sending.campaign import campaign_model
from sending.ledger import LATEST
from sending.models import Pacing, QueuedEmail, Tally
from sending.suppression import IS_SUPPRESSED

logger = logging.getLogger(__name__)
Status = QueuedEmail.Status

# First: the ledger's foreign keys lock the batch, too, and the late truth of a worker takes batch, then mail.
LOCK_BATCHES = """
SELECT 1 FROM sending_batch
WHERE id IN (SELECT batch_id FROM sending_queuedemail WHERE status = 'uncertain' AND id = ANY(%(mails)s))
ORDER BY id FOR KEY SHARE
"""
RESOLVE = """
WITH resolved AS (
    UPDATE sending_queuedemail mail SET {changes}
    FROM (SELECT id, account_id, batch_id FROM sending_queuedemail
          WHERE status = 'uncertain' AND id = ANY(%(mails)s) AND {which} ORDER BY id FOR UPDATE) before
    WHERE mail.id = before.id
    RETURNING mail.id, before.account_id, before.batch_id
), logged AS (
    INSERT INTO sending_sendlog
        (queued_email_id, batch_id, account_id, at, phase, code, enhanced_code, text, outcome, duration)
    SELECT resolved.id, batch_id, resolved.account_id, coalesce(least(now(), {latest}), now()),
           'resolution', NULL, '', %(text)s, %(outcome)s, 0
    FROM resolved JOIN sending_batch batch ON batch.id = batch_id
    ON CONFLICT (batch_id, queued_email_id) DO NOTHING
)
SELECT count(*) FROM resolved
"""


def set_pacing(**knobs: Any) -> Pacing:
    """Changes the given knobs (Pacing's fields; seconds where it is a time); None leaves one alone.

    Raises ValidationError, by knob, when a value is out of range; nothing is changed then.
    """
    with transaction.atomic():
        Pacing.load()
        pacing = Pacing.objects.select_for_update().get()
        for name, value in knobs.items():
            if value is not None:
                setattr(pacing, name, value)
        pacing.full_clean()
        pacing.save()
    return pacing


def cancel_waiting(campaign_id: int) -> int:
    """Cancels all of a campaign's mails that wait, pending or for a retry; returns how many."""
    waiting = QueuedEmail.objects.filter(campaign=campaign_id, status__in=[Status.PENDING, Status.RETRY])
    return waiting.update(
        status=Status.CANCELLED, finished_at=Now(), next_attempt_at=None, batch=None, position=None
    )


def cancel_leftovers() -> int:
    """Cancels what came back to the queue from a batch after its campaign was cancelled."""
    waiting = Tally.objects.filter(campaign=OuterRef("pk"), status__in=[Status.PENDING, Status.RETRY])
    cancelled = campaign_model().objects.filter(Exists(waiting), status="cancelled")
    return sum(cancel_waiting(pk) for pk in cancelled.values_list("pk", flat=True))


def is_open(campaign_id: int) -> bool:
    """Whether any of a campaign's mails is not yet in a final state."""
    counts = Tally.objects.filter(campaign=campaign_id).exclude(status__in=QueuedEmail.FINAL)
    return (counts.aggregate(n=Sum("count"))["n"] or 0) > 0


def retry_failed(campaign_id: int) -> int:
    """Gives a campaign's failed mails back to the queue, with all their attempts; returns how many.

    Those to suppressed addresses stay failed: they would not go out.
    """
    failed = QueuedEmail.objects.filter(~IS_SUPPRESSED, campaign=campaign_id, status=Status.FAILED)
    return failed.update(
        status=Status.PENDING, finished_at=None, attempts=0, account=None, batch=None, position=None
    )


def resolve_as_sent(mails: list[int]) -> int:
    """Ends uncertain mails (ids) as sent: somebody knows that they arrived. Returns how many.

    The ledger gets a row where it had none, so that they count against the account's limit.
    """
    return _resolve(AS_SENT, {"mails": mails, "outcome": "sent", "text": "Resolved as sent."})


def resolve_as_found(mails: Mapping[int, int]) -> int:
    """Ends uncertain mails as sent, for they are in the Sent folder. Returns how many.

    mails: by id the batch in which each became uncertain; one that is not so any more stays as it is.
    """
    values = {"outcome": "sent", "text": "Found in the Sent folder."}
    return _resolve(AS_SENT, {**values, **_in_batches(mails)}, IN_BATCHES)


def resolve_by_resending(mails: list[int] | Mapping[int, int]) -> int:
    """Gives uncertain mails back to the queue, to be sent with the same Message-ID and Date.

    mails: their ids, or by id the batch in which each was uncertain when a person decided; one that went out
    since and is uncertain again stays so. They may arrive twice: a person decides this. The first try keeps
    counting against its account's limit. Those of a cancelled campaign stay uncertain. Returns how many are
    in the queue again, where the dispatcher ends those to suppressed addresses.
    """
    text = "Resolved: to be sent again."
    if isinstance(mails, Mapping):
        return _resend({"text": text, **_in_batches(mails)}, IN_BATCHES)
    return _resend({"text": text, "mails": mails})


def resolve_as_cancelled(mails: list[int]) -> int:
    """Ends uncertain mails (ids) of cancelled campaigns as cancelled: somebody knows that none arrived.

    Nothing is sent. The attempt keeps counting against its account's limit, for the server may have
    accepted it all the same. Those of other campaigns stay uncertain. Returns how many.
    """
    text = "Resolved: it did not arrive, and its campaign is cancelled."
    return _resolve(
        AS_CANCELLED, {"mails": mails, "outcome": "uncertain", "text": text}, f"NOT {NOT_CANCELLED}"
    )


def told_not_cancelled(count: int) -> str:
    """Of so many emails that resolve_as_cancelled left uncertain, and why."""
    text = ngettext(
        "%(count)s stays as it is: its campaign is not cancelled, so it can be sent again, or it was "
        "resolved meanwhile.",
        "%(count)s stay as they are: their campaign is not cancelled, so they can be sent again, or they "
        "were resolved meanwhile.",
        count,
    )
    return text % {"count": number(count)}


def told_resent(mails: list[int], count: int) -> str:
    """Of the mails that resolve_by_resending was given, and how many of them it gave back to the queue."""
    back = QueuedEmail.objects.filter(IS_SUPPRESSED, pk__in=mails, status=Status.PENDING)
    suppressed = min(count, back.count())
    again = count - suppressed
    text = ngettext("%(count)s email goes out again", "%(count)s emails go out again", again)
    told = text % {"count": number(again)}
    if not suppressed:
        return told
    text = ngettext(
        "%(count)s ends as suppressed, and is not sent",
        "%(count)s end as suppressed, and are not sent",
        suppressed,
    )
    return f"{told}; {text % {'count': number(suppressed)}}"


def told_left(count: int) -> str:
    """Of so many emails that resolve_by_resending left uncertain, and why."""
    text = ngettext(
        "%(count)s stays as it is: its campaign is cancelled, or it was resolved meanwhile.",
        "%(count)s stay as they are: their campaign is cancelled, or they were resolved meanwhile.",
        count,
    )
    return text % {"count": number(count)}


def resend_unproven(mails: Mapping[int, int]) -> int:
    """The same by the account's rule, for mails that the Sent folder does not prove.

    mails: by id the batch in which each became uncertain; one that is not so any more stays as it is.
    """
    text = "Not found in the Sent folder: to be sent again, as the account says."
    return _resend({"text": text, **_in_batches(mails)}, IN_BATCHES)


AS_SENT = "status = 'sent', finished_at = now()"
AS_CANCELLED = "status = 'cancelled', finished_at = now(), batch_id = NULL, position = NULL"
TO_THE_QUEUE = "status = 'pending', account_id = NULL, batch_id = NULL, position = NULL"
IN_BATCHES = "(id, batch_id) IN (SELECT * FROM unnest(%(mails)s::bigint[], %(batches)s::bigint[]))"
NOT_CANCELLED = "(campaign_id NOT IN (SELECT id FROM {campaigns} WHERE status = 'cancelled'))"


def _in_batches(mails: Mapping[int, int]) -> dict[str, list[int]]:
    return {"mails": list(mails), "batches": list(mails.values())}


def _resend(values: dict[str, Any], which: str = "TRUE") -> int:
    return _resolve(TO_THE_QUEUE, {**values, "outcome": "uncertain"}, f"{which} AND {NOT_CANCELLED}")


def _resolve(changes: str, values: dict[str, Any], which: str = "TRUE") -> int:
    if not values["mails"]:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK_BATCHES, values)
        which = which.format(campaigns=campaign_model()._meta.db_table)
        cursor.execute(RESOLVE.format(changes=changes, which=which, latest=LATEST), values)
        count = cursor.fetchone()[0]
    if count:
        logger.info("Uncertain emails (%s): %s", count, values["text"])
    return count
