"""The pace: which accounts may get a batch now.

With scope "all" there is one lane for all accounts together, else one for each account. A lane is
due when its last batch began a batch interval ago, is settled, and ended a delay ago.
"""

from dataclasses import dataclass

from django.db import connection

from sending.models import Pacing


@dataclass(frozen=True)
class Due:
    """Accounts that may get mails now; seconds until the next lane is due, None if a batch has to
    end first or no lane is left."""

    accounts: set[int]
    next_in: float | None


# Seconds until the lane is due (0 or less: now; null: its batch is still at work). A batch whose lease ended
# long ago does nothing: where it can't be settled, it holds no lane up.
ALL_ACCOUNTS = """
SELECT CASE WHEN EXISTS (SELECT 1 FROM sending_batch
                         WHERE finished IS NULL AND lease > now() - interval '1 minute') THEN NULL
    ELSE coalesce((
        SELECT extract(epoch FROM greatest(coalesce(started, created) + %(interval)s * interval '1 second',
                                           finished + %(delay)s * interval '1 second')
                                  - clock_timestamp())
        FROM sending_batch ORDER BY created DESC LIMIT 1), 0) END
"""
EACH_ACCOUNT = """
SELECT account.id, CASE WHEN EXISTS (
        SELECT 1 FROM sending_batch
        WHERE finished IS NULL AND lease > now() - interval '1 minute'
          AND (account_id = account.id OR account_id IS NULL)) THEN NULL
    ELSE coalesce(extract(epoch FROM last.due - clock_timestamp()), 0) END
FROM unnest(%(accounts)s::bigint[]) AS account(id)
LEFT JOIN LATERAL (
    SELECT max(greatest(coalesce(started, created) + %(interval)s * interval '1 second',
                        finished + %(delay)s * interval '1 second')) AS due
    FROM ((SELECT * FROM sending_batch WHERE account_id = account.id ORDER BY created DESC LIMIT 1)
          UNION ALL
          (SELECT * FROM sending_batch WHERE account_id IS NULL ORDER BY created DESC LIMIT 1)) batch
) last ON true
"""


def due(pacing: Pacing, accounts: list[int]) -> Due:
    """Which of these accounts may get mails now, by Postgres' clock."""
    if pacing.scope == Pacing.Scope.ALL:
        seconds = _query(ALL_ACCOUNTS, pacing, accounts)[0][0]
        waits = dict.fromkeys(accounts, seconds)
    else:
        waits = dict(_query(EACH_ACCOUNT, pacing, accounts))
    ahead = [float(wait) for wait in waits.values() if wait is not None and wait > 0]
    return Due(
        accounts={account for account, wait in waits.items() if wait is not None and wait <= 0},
        next_in=0.0 if None in waits.values() else min(ahead, default=None),
    )


def _query(statement: str, pacing: Pacing, accounts: list[int]) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {"accounts": accounts, "interval": pacing.batch_interval, "delay": pacing.delay},
        )
        return cursor.fetchall()
