"""The ledger's INSERT: the fence that a worker must pass after each mail."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from sending import settle
from sending.campaign import campaign_model
from sending.database import patiently
from sending.models import Batch
from sending.replies import Verdict

logger = logging.getLogger(__name__)
REPLY_LENGTH = 500


@dataclass(frozen=True)
class Hold:
    """A worker's hold on a batch: what it shows at the fence. lease: seconds it is renewed by.

    campaigns, accounts: those that its mails belong to, by id the version (xmin) of the row that it goes by.
    """

    batch: int
    token: UUID
    lease: float
    campaigns: Mapping[int, str] = field(default_factory=dict)
    accounts: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stopped:
    """Whose mails of a batch may not go out any more, or not as they are: ids of its campaigns, its
    accounts, and of single mails whose address was suppressed."""

    campaigns: frozenset[int]
    accounts: frozenset[int]
    mails: frozenset[int] = frozenset()


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
            "scope": self.verdict.scope,
            "duration": self.duration,
        }


# The latest moment at which the mail in hand can have been handed over, once its batch was recovered:
# the lease outlasts opening a connection and the time of a mail up to its final dot, and a worker past
# that sends no dot, however long it was frozen (accounts/timeouts.py). The minutes are for hosts that
# were suspended, whose servers hang up by then. So it counts in its account's windows.
LATEST = "batch.finished + interval '2 minutes'"

INSERT = """
INSERT INTO sending_sendlog
    (queued_email_id, batch_id, account_id, at, phase, code, enhanced_code, text, outcome, scope,
     duration)
SELECT %(mail)s, %(batch)s, %(account)s, {at},
       %(phase)s, %(code)s, %(enhanced_code)s, %(text)s, %(outcome)s, %(scope)s, %(duration)s
"""
# Stopped by a person, or by another worker. The accounts: all but SmtpAccountQuerySet.usable(). Another
# version of a row: somebody paused, changed and resumed the campaign, or lowered a limit of the account.
STOPPED = """
ARRAY(SELECT id FROM unnest(%(campaigns)s::bigint[], %(campaign_versions)s::text[]) known(id, version)
      JOIN {campaign} campaign USING (id)
      WHERE campaign.status <> 'sending' OR campaign.scheduled_at > now() OR campaign.xmin::text <> version),
ARRAY(SELECT id FROM unnest(%(accounts)s::bigint[], %(account_versions)s::text[]) known(id, version)
      JOIN accounts_smtpaccount account USING (id)
      WHERE NOT is_enabled OR pause_reason <> '' AND (paused_until IS NULL OR paused_until > now())
         OR account.xmin::text <> version),
ARRAY(SELECT mail.id FROM sending_queuedemail mail
      JOIN sending_suppression suppression ON lower(suppression.email) = lower(mail.email)
      WHERE mail.batch_id = %(batch)s AND mail.status = 'sending'
        AND mail.position > coalesce((SELECT position FROM sending_queuedemail WHERE id = %(mail)s), -1))
"""
VERSIONS = """
SELECT 'campaign', id, xmin::text FROM {campaign}
WHERE id IN (SELECT campaign_id FROM sending_queuedemail WHERE batch_id = %(batch)s AND status = 'sending')
UNION ALL
SELECT 'account', id, xmin::text FROM accounts_smtpaccount
WHERE id IN (SELECT account_id FROM sending_queuedemail WHERE batch_id = %(batch)s AND status = 'sending')
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
SELECT (SELECT count(*) FROM held), {STOPPED}
"""  # noqa: S608
LATE = f"""
WITH batch AS (SELECT finished FROM sending_batch WHERE id = %(batch)s FOR UPDATE)
{INSERT.format(at=f"least(clock_timestamp(), {LATEST})")} FROM batch
ON CONFLICT (batch_id, queued_email_id) DO NOTHING
"""  # noqa: S608


def record(hold: Hold, attempt: Attempt) -> Stopped | None:
    """Writes the ledger row of an attempt and renews the lease: one committed statement.

    Returns who may not send any more, to be heeded before the next mail. None: the batch is not this
    worker's any more, nothing was written, and no mail may follow.
    Waits for a database that is away; raises OperationalError when it stays away.
    """
    is_ours, stopped = _ask(FENCE, hold, {"token": hold.token, "lease": hold.lease, **attempt.columns()})
    return stopped if is_ours else None


def stopped(hold: Hold) -> Stopped:
    """Who may not send any more; for the start of a batch, which may have waited long for its worker."""
    return _ask("SELECT 1, " + STOPPED, hold, {"mail": 0})[1]


def versions(batch: int) -> tuple[dict[int, str], dict[int, str]]:
    """The versions of the campaigns and of the accounts that a batch's mails belong to, by id, for its Hold.

    To be asked before these rows are read, so that no change in between is missed.
    """
    found: dict[str, dict[int, str]] = {"campaign": {}, "account": {}}
    with connection.cursor() as cursor:
        cursor.execute(VERSIONS.format(campaign=campaign_model()._meta.db_table), {"batch": batch})
        for kind, pk, version in cursor.fetchall():
            found[kind][pk] = version
    return found["campaign"], found["account"]


def _ask(statement: str, hold: Hold, values: dict[str, Any]) -> tuple[bool, Stopped]:
    statement = statement.format(campaign=campaign_model()._meta.db_table)
    values |= {
        "batch": hold.batch,
        "campaigns": list(hold.campaigns),
        "campaign_versions": list(hold.campaigns.values()),
        "accounts": list(hold.accounts),
        "account_versions": list(hold.accounts.values()),
    }

    def ask() -> tuple[bool, Stopped]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            is_ours, *ids = cursor.fetchone()
        return bool(is_ours), Stopped(*map(frozenset, ids))

    return patiently(ask)


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
