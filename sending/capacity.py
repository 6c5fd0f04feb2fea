"""What each account may still hand over: what its limits leave, over all their windows.

Campaigns' mails and test mails count alike.

Why claims that keep to it keep every limit. Take any window of the ledger, its rows, and the last claim
that one of them came from. Each of the rows was by then logged within the window that this claim
looked at (which began no later, since the claim came first), or sending, or uncertain: all counted.
So the claim found room for all of them. A calendar day is no different: what was claimed before
midnight and is handed over after it had room in the day before, and counts from midnight on.
A warm-up only ever lets out more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import SmtpAccount
from sending.ledger import LATEST
from sending.models import QueuedEmail, SendLog, TestMail

# When so many of a window's mails have left it that less than {most} are in it; of one that is not
# full, when its oldest leaves.
LEAVES = """(
    SELECT gone.at + span.length FROM (
        (SELECT log.at FROM sending_sendlog log
         WHERE log.account_id = account.id AND log.outcome IN ('sent', 'uncertain') AND log.at > span.since
         ORDER BY log.at)
        UNION ALL
        (SELECT at FROM unnest(unlogged.moments) at WHERE at > span.since ORDER BY at)
    ) gone ORDER BY gone.at OFFSET greatest(0, taken.n - {most}) LIMIT 1)"""

# One statement, one snapshot: a mail that moves from the queue to the ledger is never missed.
# A mail counts once. By its ledger row, if that says that it was accepted or may have been, from when
# it was written. Without a ledger row by its queue row: while it is sending, as if handed over
# now; once it is uncertain, as if handed over as late as it can have been (ledger.LATEST).
# A ledger row that says "not accepted" takes its queue row out of the count.
# A test mail has no queue row: it counts by itself, as if handed over now while it is being sent, and as
# late as it can have been (TestMail.counts_at) once its end is known, or nobody is left to tell it.
# For the spacing it ends when it counts: as long as it may still be handed over, no batch may come beside it.
# Of the moments ahead: nothing more is handed over until then.
UNLOGGED = f"""
    SELECT CASE WHEN mail.status = 'uncertain'
               THEN coalesce({LATEST}, present.now) ELSE present.now END AS at,
           batch.finished AS ended, mail.status
    FROM sending_queuedemail mail JOIN sending_batch batch ON batch.id = mail.batch_id
    WHERE mail.account_id = account.id AND mail.status IN ('sending', 'uncertain')
      AND NOT EXISTS (SELECT 1 FROM sending_sendlog log
                      WHERE log.batch_id = mail.batch_id AND log.queued_email_id = mail.id)
    UNION ALL
    SELECT least(test.counts_at, present.now), test.counts_at, 'test'
    FROM sending_testmail test
    WHERE test.account_id = account.id AND test.outcome <> 'refused'
      AND test.counts_at > present.now - interval '2 days'  -- no window is longer
"""  # noqa: S608
TABLES = f"""
FROM accounts_smtpaccount account
CROSS JOIN (SELECT coalesce(%(moment)s::timestamptz, now()) AS now) present
CROSS JOIN unnest(%(hours)s::int[]) ahead (hours)
CROSS JOIN LATERAL (SELECT present.now + ahead.hours * interval '1 hour' AS now) clock
CROSS JOIN LATERAL (
    SELECT CASE WHEN account.limit_window = 'calendar'
               THEN accounts_day_start(clock.now, account.time_zone) END AS starts,
           CASE WHEN account.limit_window = 'calendar'
               THEN accounts_day_start(clock.now, account.time_zone, 1) END AS ends) day
CROSS JOIN LATERAL (
    SELECT greatest(0, CASE WHEN day.starts IS NULL
        THEN floor(extract(epoch FROM clock.now - account.warm_up_since) / 86400)::int
        ELSE (clock.now AT TIME ZONE account.time_zone)::date
             - (account.warm_up_since AT TIME ZONE account.time_zone)::date END) AS days) warm_up
CROSS JOIN LATERAL (
    SELECT least(account.daily_limit,
                 account.warm_up_start + account.warm_up_step::bigint * warm_up.days) AS now,
           least(account.daily_limit,
                 account.warm_up_start + account.warm_up_step::bigint * (warm_up.days + 1)) AS next,
           account.warm_up_since + (warm_up.days + 1) * interval '24 hours' AS next_at) cap
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(one.at), '{{}}') AS moments, max(one.ended) AS ended
    FROM (
{UNLOGGED}    ) one) unlogged
CROSS JOIN LATERAL (
    SELECT CASE WHEN account.spacing > 0 THEN account.spacing * interval '1 second' + greatest(
        (SELECT max(log.at) FROM sending_sendlog log
         WHERE log.account_id = account.id AND log.outcome IN ('sent', 'uncertain')),
        unlogged.ended) END AS until) spaced
CROSS JOIN LATERAL (VALUES
    (CASE WHEN cap.now < account.daily_limit THEN 'warm-up' WHEN day.starts IS NULL THEN '24 h'
          ELSE 'day' END,
     cap.now, coalesce(day.starts - interval '1 microsecond', clock.now - interval '24 hours'),
     interval '24 hours', day.ends, cap.next, cap.next_at),
    ('hour', account.hourly_limit, clock.now - interval '1 hour', interval '1 hour', NULL, NULL, NULL),
    ('minute', account.minute_limit, clock.now - interval '1 minute', interval '1 minute', NULL, NULL, NULL)
) span (name, most, since, length, ends, next_most, next_at)
CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM sending_sendlog log
            WHERE log.account_id = account.id AND log.outcome IN ('sent', 'uncertain')
              AND log.at > span.since)
         + (SELECT count(*) FROM unnest(unlogged.moments) at WHERE at > span.since) AS n
    OFFSET 0) taken  -- so that it is counted once
WHERE account.id = ANY(%(accounts)s) AND span.most IS NOT NULL
"""  # noqa: S608
LOOK = f"""
SELECT account.id, span.name, span.most, taken.n,
    CASE WHEN taken.n = 0 THEN NULL
         WHEN span.ends IS NOT NULL THEN span.ends
         WHEN taken.n >= span.most AND span.next_most > span.most THEN least(
             {LEAVES.format(most="span.most")},
             CASE WHEN taken.n < span.next_most THEN span.next_at
                  ELSE greatest(span.next_at, {LEAVES.format(most="span.next_most")}) END)
         ELSE {LEAVES.format(most="span.most")} END,
    spaced.until, extract(epoch FROM spaced.until - clock.now)
{TABLES}"""  # noqa: S608
# Of the day's window alone, without what costs more: when it frees.
AHEAD = f"""
SELECT account.id, span.most, taken.n {TABLES} AND span.length = interval '24 hours' ORDER BY ahead.hours
"""
# But for what a batch has in hand now: that may come back to the queue.
HANDED_OVER = f"""
SELECT count(*) FROM accounts_smtpaccount account
CROSS JOIN (SELECT now() AS now) present
CROSS JOIN LATERAL (
    SELECT log.at FROM sending_sendlog log
    WHERE log.account_id = account.id AND log.outcome IN ('sent', 'uncertain') AND log.at >= %(since)s
    UNION ALL
    SELECT one.at FROM ({UNLOGGED}) one WHERE one.status <> 'sending' AND one.at >= %(since)s) used
"""  # noqa: S608
OF_THE_DAY = ("24 h", "day", "warm-up")


@dataclass(frozen=True)
class _Span:
    """One limit and its window. frees_at: when a full one takes the next mail, else when its oldest
    mail leaves; None where it is empty."""

    name: str
    most: int
    taken: int
    frees_at: datetime | None

    @property
    def left(self) -> int:
        return max(0, self.most - self.taken)


@dataclass(frozen=True)
class Capacity:
    """What an account may still hand over. Its spacing wants it to wait until then, for so many seconds."""

    spaced_until: datetime | None = None
    spaced_for: float = 0
    spans: list[_Span] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Mails that all its limits leave, its spacing aside."""
        return min(span.left for span in self.spans)

    @property
    def is_exceeded(self) -> bool:
        """Whether more is taken than a limit allows: it was lowered after its mails were claimed."""
        return any(span.taken > span.most for span in self.spans)

    @property
    def used(self) -> int:
        """Mails of the last 24 hours, or of the calendar day."""
        return self._day.taken

    @property
    def limit(self) -> int:
        """The daily limit as it holds now: less than the account's while it warms up."""
        return self._day.most

    @property
    def day_frees_at(self) -> datetime | None:
        """When the next mail of the day's window stops counting; None where none counts."""
        return self._day.frees_at

    @property
    def held_by(self) -> str:
        """The limit that lets nothing out now: 24 h, day, warm-up, hour, minute or spacing; "" if none.

        Of several the one that holds longest.
        """
        return max(self._holds(), key=lambda hold: hold[1])[0] if self._holds() else ""

    @property
    def held_until(self) -> datetime | None:
        """When the account can take its next mail; None where it can now."""
        return max((until for _, until in self._holds()), default=None)

    @property
    def _day(self) -> _Span:
        return next(span for span in self.spans if span.name in OF_THE_DAY)

    def _holds(self) -> list[tuple[str, datetime]]:
        full = [(span.name, span.frees_at) for span in self.spans if not span.left and span.frees_at]
        return [*full, ("spacing", self.spaced_until)] if self.spaced_until and self.spaced_for else full


def handed_over_since(since: datetime) -> int:
    """Mails of all accounts that were, or may have been, accepted since then (aware), as their limits count
    them: campaigns' mails, uncertain ones and tests. None of more than two days ago is asked for.
    """
    with connection.cursor() as cursor:
        cursor.execute(HANDED_OVER, {"since": since})
        return cursor.fetchone()[0]


def has_sent_lately(account: SmtpAccount, **_: Any) -> bool:
    """Answers accounts.mailboxes: whether any mail of the account may count in a window that is not over."""
    since = Now() - timedelta(days=2)
    counted = SendLog.objects.filter(account=account, outcome__in=["sent", "uncertain"], at__gt=since)
    late = Q(batch__finished=None) | Q(batch__finished__gt=since)  # ledger.LATEST
    unlogged = QueuedEmail.objects.filter(Q(status="sending") | Q(late, status="uncertain"), account=account)
    tests = TestMail.objects.filter(account=account, counts_at__gt=since).exclude(outcome="refused")
    return counted.exists() or unlogged.exists() or tests.exists()


def look(accounts: Iterable[int], moment: datetime | None = None) -> dict[int, Capacity]:
    """The capacity of these accounts (ids) now by Postgres' clock, or as of that moment.

    To claim by it, lock the account rows first: then nobody else claims between count and claim.
    """
    capacities: dict[int, Capacity] = {}
    for account, name, most, taken, frees_at, spaced_until, seconds in _ask(LOOK, accounts, [0], moment):
        held = Capacity(spaced_until, max(0.0, float(seconds or 0)))
        capacities.setdefault(account, held).spans.append(_Span(name, most, taken, frees_at))
    return capacities


def ahead(accounts: Iterable[int], hours: Sequence[int]) -> dict[int, list[int]]:
    """What the daily limits of these accounts (ids) leave so many hours from now each (rising).

    If nothing more is sent until then, and whatever the shorter limits say. One statement, which counts
    each account's day once for each of the hours: for a page, not for a claim.
    """
    found: dict[int, list[int]] = {}
    for account, most, taken in _ask(AHEAD, accounts, hours):
        found.setdefault(account, []).append(max(0, most - taken))
    return found


def _ask(
    statement: str, accounts: Iterable[int], hours: Sequence[int], moment: datetime | None = None
) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"accounts": list(accounts), "hours": list(hours), "moment": moment})
        return cursor.fetchall()


def remaining(accounts: Iterable[int], moment: datetime | None = None) -> dict[int, int]:
    """How many mails the limits of these accounts (ids) leave; see look()."""
    return {account: capacity.left for account, capacity in look(accounts, moment).items()}
