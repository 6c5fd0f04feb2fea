"""What each account has left in its rolling 24 hours."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import connection

# One statement, one snapshot: a mail that moves from the queue to the ledger is never missed.
# A mail counts once: by its ledger row; before it has one, and as long as it is uncertain, by its
# queue row. A ledger row that says "not accepted" takes its queue row out of the count.
USED = """
SELECT account.id,
    (SELECT count(*) FROM sending_sendlog log
     WHERE log.account_id = account.id AND log.outcome IN ('sent', 'uncertain')
       AND log.at > now() - interval '24 hours')
    +
    (SELECT count(*) FROM sending_queuedemail mail
     WHERE mail.account_id = account.id AND mail.status IN ('sending', 'uncertain')
       AND NOT EXISTS (
           SELECT 1 FROM sending_sendlog log
           WHERE log.batch_id = mail.batch_id AND log.queued_email_id = mail.id
             AND (log.outcome NOT IN ('sent', 'uncertain') OR log.at > now() - interval '24 hours')))
FROM accounts_smtpaccount account WHERE account.id = ANY(%s)
"""

FREES_AT = """
SELECT account_id, min(at) + interval '24 hours' FROM sending_sendlog
WHERE account_id = ANY(%s) AND outcome IN ('sent', 'uncertain') AND at > now() - interval '24 hours'
GROUP BY account_id
"""


def used(account_ids: Iterable[int]) -> dict[int, int]:
    """How many mails each account has handed over, or may have, in the last 24 hours.

    To claim by it, lock the account rows first: then nobody else claims between count and claim.
    """
    with connection.cursor() as cursor:
        cursor.execute(USED, [list(account_ids)])
        return dict(cursor.fetchall())


def remaining(limits: Mapping[int, int]) -> dict[int, int]:
    """What is left of these daily limits (account id: limit), never below 0."""
    taken = used(limits)
    return {account: max(0, limit - taken.get(account, 0)) for account, limit in limits.items()}


def frees_at(account_ids: Iterable[int]) -> dict[int, datetime]:
    """When the oldest counted mail of each account leaves the window; idle accounts are left out."""
    with connection.cursor() as cursor:
        cursor.execute(FREES_AT, [list(account_ids)])
        return dict(cursor.fetchall())
