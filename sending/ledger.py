"""The ledger's INSERT: the fence that a worker must pass after each mail."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from sending import settle
from sending.database import patiently
from sending.models import Batch
from sending.replies import Verdict

logger = logging.getLogger(__name__)
REPLY_LENGTH = 500


@dataclass(frozen=True)
class Hold:
    """A worker's hold on a batch: what it shows at the fence. lease: seconds it is renewed by."""

    batch: int
    token: UUID
    lease: float


@dataclass(frozen=True)
class Attempt:
    """How one attempt ended. duration in seconds."""

    mail: int
    account: int
    phase: str
    code: int | None
    enhanced_code: str
    text: str
    verdict: Verdict
    duration: float

    def columns(self) -> dict[str, Any]:
        return {
            "mail": self.mail,
            "account": self.account,
            "phase": self.phase,
            "code": self.code,
            "enhanced_code": self.enhanced_code[:12],
            "text": self.text[:REPLY_LENGTH],
            "outcome": self.verdict.outcome,
            "duration": self.duration,
        }


# The latest moment at which the mail in hand can have been handed over, once its batch was recovered:
# opening a connection takes 60 s at most, a mail as long, and a worker past that sends no final dot,
# however long it was frozen (accounts/connection.py: deadline). So it counts in its account's windows.
LATEST = "batch.finished + interval '2 minutes'"

INSERT = """
INSERT INTO sending_sendlog
    (queued_email_id, batch_id, account_id, at, phase, code, enhanced_code, text, outcome, duration)
SELECT %(mail)s, %(batch)s, %(account)s, {at},
       %(phase)s, %(code)s, %(enhanced_code)s, %(text)s, %(outcome)s, %(duration)s
"""
# The UPDATE locks the batch row, where recovery waits or has been: under READ COMMITTED a plain
# WHERE EXISTS would read an old version. ON CONFLICT: the row of a commit whose answer got lost.
FENCE = f"""
WITH held AS (
    UPDATE sending_batch SET lease = now() + %(lease)s * interval '1 second'
    WHERE id = %(batch)s AND token = %(token)s AND finished IS NULL
    RETURNING id
), logged AS (
    {INSERT.format(at="clock_timestamp()")} FROM held ON CONFLICT (batch_id, queued_email_id) DO NOTHING
)
SELECT count(*) FROM held
"""  # noqa: S608
LATE = f"""
WITH batch AS (SELECT finished FROM sending_batch WHERE id = %(batch)s FOR UPDATE)
{INSERT.format(at=f"least(clock_timestamp(), {LATEST})")} FROM batch
ON CONFLICT (batch_id, queued_email_id) DO NOTHING
"""  # noqa: S608


def record(hold: Hold, attempt: Attempt) -> bool:
    """Writes the ledger row of an attempt and renews the lease: one committed statement.

    False: the batch is not this worker's any more, nothing was written, and no mail may follow.
    Waits for a database that is away; raises OperationalError when it stays away.
    """
    values = {"batch": hold.batch, "token": hold.token, "lease": hold.lease, **attempt.columns()}

    def write() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(FENCE, values)
            return bool(cursor.fetchone()[0])

    return patiently(write)


def renew(hold: Hold) -> bool:
    """Renews the lease before a wait. False: the batch is not this worker's any more, no mail may follow."""
    held = Batch.objects.filter(pk=hold.batch, token=hold.token, finished=None)
    return bool(patiently(lambda: held.update(lease=Now() + timedelta(seconds=hold.lease))))


def record_late_truth(hold: Hold, attempt: Attempt) -> None:
    """Writes what a worker learnt after recovery took its batch, and settles that one uncertain mail.

    Where the mail is not uncertain any more (a person was quicker), the ledger alone is told.
    """
    patiently(lambda: _write_late_truth(hold, attempt))
    logger.warning("Batch %s had been recovered; its last reply was recorded late", hold.batch)


def _write_late_truth(hold: Hold, attempt: Attempt) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LATE, {"batch": hold.batch, **attempt.columns()})
        settle.settle_uncertain(hold.batch, attempt.mail)
