"""From the ledger to the queue: what a batch did becomes the state of its mails, in one statement."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import DatabaseError, connection, transaction
from django.db.models import Sum
from django.db.models.functions import Now

from sending.database import AWAY, patiently
from sending.models import Batch, Pacing, Tally

logger = logging.getLogger(__name__)
# A refusal that is about the account costs the mail no attempt. One mail that provokes it time and again
# would rest account after account, for ever. So from the second such answer in a row on it waits as long as
# for a retry, and others go first; and after so many, eight hours of the usual retry interval, each costs an
# attempt. That many are no accident of one mail at the head of the queue: others had their turn between.
MOST_RETURNS = 100

# Moves the mails of a batch that are in state %(expected)s: a logged one as its ledger row says, the
# first unlogged one to %(in_hand)s, all others back to pending. An attempt is counted where the
# mail, not the account, was the cause; the one after the last retry fails. %(counted)s is 1 when the
# attempt was counted before: when the mail became uncertain. returns: how often in a row the mail, once
# its recipient was named, got an answer about the account; earlier ones can't be its own fault.
APPLY_LEDGER = """
WITH mail AS MATERIALIZED (
    SELECT mail.id, mail.attempts, mail.position, mail.last_reply, mail.message_id,
           log.id AS log, log.at, log.outcome,
           concat_ws(' ', log.code, nullif(log.enhanced_code, ''), nullif(log.text, '')) AS reply,
           log.id IS NULL AND mail.position = min(mail.position) FILTER (WHERE log.id IS NULL) OVER ()
               AS is_first_unlogged,
           CASE WHEN log.outcome = 'returned' AND log.phase IN ('rcpt', 'data', 'dot') THEN (
               SELECT count(*) FROM sending_sendlog past
               WHERE past.queued_email_id = mail.id AND past.outcome = 'returned'
                 AND past.phase IN ('rcpt', 'data', 'dot')
                 AND past.id > coalesce((SELECT max(id) FROM sending_sendlog other
                                         WHERE other.queued_email_id = mail.id
                                           AND other.outcome <> 'returned'), 0)
           ) ELSE 0 END AS returns
    FROM sending_queuedemail mail
    LEFT JOIN sending_sendlog log ON log.batch_id = mail.batch_id AND log.queued_email_id = mail.id
    WHERE mail.batch_id = %(batch)s AND mail.status = %(expected)s
      AND (%(only)s::bigint IS NULL OR mail.id = %(only)s)
), counted AS (
    SELECT *,
        CASE WHEN log IS NULL THEN is_first_unlogged AND %(in_hand)s = 'uncertain'
             ELSE outcome <> 'returned' OR returns > %(most_returns)s END AS is_attempt,
        CASE WHEN outcome = 'returned' THEN CASE WHEN returns < 2 THEN 'pending' ELSE 'retry' END
             ELSE outcome END AS wanted
    FROM mail
), verdict AS (
    SELECT *,
        CASE WHEN log IS NULL THEN CASE WHEN is_first_unlogged THEN %(in_hand)s ELSE 'pending' END
             WHEN wanted = 'retry' AND is_attempt AND attempts - %(counted)s >= %(max_retries)s THEN 'failed'
             ELSE wanted END AS status
    FROM counted
), moved AS (
    UPDATE sending_queuedemail queue SET
        status = verdict.status,
        attempts = queue.attempts - %(counted)s + verdict.is_attempt::int,
        next_attempt_at = CASE WHEN verdict.status = 'retry'
            THEN now() + %(retry_interval)s * interval '1 second' END,
        finished_at = CASE WHEN verdict.status IN ('sent', 'failed') THEN verdict.at END,
        account_id = CASE WHEN verdict.status <> 'pending' THEN queue.account_id END,
        batch_id = CASE WHEN verdict.status <> 'pending' THEN queue.batch_id END,
        position = CASE WHEN verdict.status <> 'pending' THEN queue.position END,
        last_reply = left(CASE
            WHEN verdict.log IS NOT NULL THEN verdict.reply
            WHEN verdict.is_attempt THEN 'The worker stopped while this mail was in its hand.'
            ELSE queue.last_reply END, 500)
    FROM verdict
    WHERE queue.id = verdict.id AND queue.batch_id = %(batch)s AND queue.status = %(expected)s
    RETURNING verdict.status
)
SELECT status, count(*) FROM moved GROUP BY status
"""

HAND_BACK = """
WITH held AS (
    SELECT id FROM sending_batch WHERE id = %(batch)s AND token = %(token)s AND finished IS NULL
    FOR UPDATE
), returned AS (
    UPDATE sending_queuedemail mail
    SET status = 'pending', account_id = NULL, batch_id = NULL, position = NULL
    FROM held
    WHERE mail.batch_id = held.id AND mail.status = 'sending' AND {which} = ANY(%(values)s)
      AND NOT EXISTS (SELECT 1 FROM sending_sendlog log
                      WHERE log.batch_id = held.id AND log.queued_email_id = mail.id)
)
SELECT count(*) FROM held
"""


@dataclass(frozen=True)
class Settled:
    """What became of a batch's mails, by their new state. failed: for good. retried: to be tried again."""

    states: Counter[str]

    @property
    def sent(self) -> int:
        return self.states["sent"]

    @property
    def failed(self) -> int:
        return self.states["failed"]

    @property
    def retried(self) -> int:
        return self.states["retry"]

    @property
    def uncertain(self) -> int:
        return self.states["uncertain"]


def settle(batch: int, token: UUID) -> Settled | None:
    """Settles a batch whose worker has nothing in hand. None when it is not that worker's any more.

    Waits for a database that is away; raises OperationalError when it stays away.
    """
    return patiently(lambda: _settle(batch, token))


def _settle(batch: int, token: UUID) -> Settled | None:
    with transaction.atomic():
        if not Batch.objects.select_for_update().filter(pk=batch, token=token, finished=None).first():
            return None
        return _finish(batch, in_hand="pending")


def recover() -> int:
    """Settles all batches whose lease ran out, each in its own transaction. Returns how many.

    Logged mails become what the ledger says; the first unlogged one may have been in the worker's
    hand: uncertain, unless the batch was never started; the others go back to pending. A batch that can't
    be settled for a fault of ours is logged and left: it keeps neither the others nor a dispatch waiting.
    """
    recovered, unsettled = 0, list[int]()
    while _recover_one(unsettled):
        recovered += 1
    return recovered - len(unsettled)


def _recover_one(unsettled: list[int]) -> bool:
    """Settles the next one, or adds it to those that can't be settled. False: there is none."""
    batch = None
    try:
        with transaction.atomic():
            batch = (
                Batch.objects.filter(finished=None, lease__lt=Now())
                .exclude(pk__in=unsettled)
                .order_by("lease")
                .select_for_update(skip_locked=True)
                .first()
            )
            if batch is None:
                return False
            settled = _finish(batch.pk, in_hand="uncertain" if batch.started else "pending")
    except DatabaseError as error:
        if batch is None or isinstance(error, AWAY):
            raise
        unsettled.append(batch.pk)
        # Its text may quote a row, and so an address.
        logger.error("Batch %s can't be settled: %s", batch.pk, type(error).__name__)
        return True
    logger.warning(
        "Batch %s recovered: %s sent, %s failed, %s to be tried again, %s uncertain, %s back to pending",
        batch.pk, settled.sent, settled.failed, settled.retried, settled.uncertain, settled.states["pending"],
    )  # fmt: skip
    return True


def settle_uncertain(batch: int, mail: int) -> None:
    """Settles one uncertain mail of a finished batch from its ledger row. Needs a transaction."""
    _apply_ledger(batch, expected="uncertain", in_hand="uncertain", only=mail)


def _finish(batch: int, in_hand: str) -> Settled:
    settled = _apply_ledger(batch, expected="sending", in_hand=in_hand)
    Batch.objects.filter(pk=batch).update(
        finished=Now(),
        sent=settled.sent,
        failed=settled.failed,
        retried=settled.retried,
        uncertain=settled.uncertain,
    )
    return settled


def _apply_ledger(batch: int, expected: str, in_hand: str, only: int | None = None) -> Settled:
    pacing = Pacing.load()
    with connection.cursor() as cursor:
        cursor.execute(
            APPLY_LEDGER,
            {
                "batch": batch,
                "expected": expected,
                "in_hand": in_hand,
                "counted": int(expected == "uncertain"),
                "only": only,
                "max_retries": pacing.max_retries,
                "retry_interval": pacing.retry_interval,
                "most_returns": MOST_RETURNS,
            },
        )
        return Settled(Counter(dict(cursor.fetchall())))


def hand_back_account(batch: int, token: UUID, account: int) -> bool:
    """Gives the batch's unstarted mails of an account back to the queue.

    To be called with nothing in hand, before the next mail starts: the first unlogged mail of a
    batch must stay the only one that can be in doubt. False: the batch is not this worker's any
    more, nothing was given back, and no mail may follow.
    """
    return _hand_back(batch, token, "mail.account_id", [account])


def hand_back_campaign(batch: int, token: UUID, campaign: int) -> bool:
    """Gives the batch's unstarted mails of a campaign back to the queue; see hand_back_account."""
    return _hand_back(batch, token, "mail.campaign_id", [campaign])


def hand_back_mails(batch: int, token: UUID, mails: Iterable[int]) -> bool:
    """Gives these unstarted mails (ids) of the batch back to the queue; see hand_back_account."""
    return _hand_back(batch, token, "mail.id", mails)


def _hand_back(batch: int, token: UUID, which: str, values: Iterable[int]) -> bool:
    def write() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(
                HAND_BACK.format(which=which), {"batch": batch, "token": token, "values": list(values)}
            )
            return bool(cursor.fetchone()[0])

    return patiently(write)


def compact_tally() -> None:
    """Adds the tally's rows of differences up, so that it stays as small as it is exact."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH gone AS (DELETE FROM sending_tally RETURNING campaign_id, account_id, status, count)
            INSERT INTO sending_tally (campaign_id, account_id, status, count)
            SELECT campaign_id, account_id, status, sum(count) FROM gone
            GROUP BY campaign_id, account_id, status HAVING sum(count) <> 0
            """
        )


def queue_remaining() -> int:
    """How many mails wait: pending ones and those that wait for a retry."""
    return Tally.objects.filter(status__in=["pending", "retry"]).aggregate(n=Sum("count"))["n"] or 0
