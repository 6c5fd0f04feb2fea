"""What the ledger tells of the last hours: sends per hour, failures by class, the rate of each campaign.

Every statement reads the ledger by the index on its time, never the queue.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

HOURS = 48

# One statement, so one snapshot: all rows of each hour, by counting index entries, and by class those that
# sent nothing, which are few and have an index of their own. What is left was sent.
PER_HOUR = """
SELECT start, '', NULL::smallint, '',
    (SELECT count(*) FROM sending_sendlog WHERE at >= start AND at < start + interval '1 hour')
FROM unnest(%(starts)s::timestamptz[]) start
UNION ALL
SELECT date_bin('1 hour', at, %(since)s), outcome, code, enhanced_code, count(*)
FROM sending_sendlog
WHERE at >= %(since)s AND outcome IN ('failed', 'retry', 'uncertain', 'returned')
GROUP BY 1, 2, 3, 4
"""

RATES = """
SELECT mail.campaign_id, count(*), sum(log.duration)
FROM sending_sendlog log JOIN sending_queuedemail mail ON mail.id = log.queued_email_id
WHERE log.at > now() - interval '1 hour' AND log.outcome IN ('sent', 'failed')
GROUP BY mail.campaign_id
"""

# Numbers by the array: thousands of rows with a time in each would take longer to read than to find.
FREED = """
SELECT account_id, array_agg(extract(epoch FROM at + interval '24 hours 10 minutes')::bigint), array_agg(n)
FROM (
    SELECT account_id, date_bin('10 minutes', at, 'epoch') AS at, count(*) AS n
    FROM (
        SELECT account_id, at FROM sending_sendlog
        WHERE account_id = ANY(%(accounts)s) AND outcome IN ('sent', 'uncertain')
          AND at > now() - interval '24 hours'
        UNION ALL
        SELECT account_id, counts_at FROM sending_testmail
        WHERE account_id = ANY(%(accounts)s) AND outcome <> 'refused'
          AND counts_at > now() - interval '24 hours'
    ) used
    GROUP BY 1, 2
) steps
GROUP BY account_id
"""

# What the middle figure of an enhanced status code is about (RFC 3463, section 3).
ABOUT = {
    "1": _("Address unknown or refused"),
    "2": _("Mailbox full, disabled or too large a mail"),
    "3": _("Recipient’s mail system"),
    "4": _("Network or routing"),
    "5": _("Account or protocol"),
    "6": _("Content or format"),
    "7": _("Policy or security"),
}
# The same for reply codes without one (RFC 5321, section 4.2.3).
ABOUT_CODE = {450: "2", 451: "3", 452: "2", 550: "1", 551: "1", 552: "2", 553: "1", 554: "7"}
NO_ANSWER = _("Accepted or not: no answer")
RETURNED = _("Account refused: mail back in the queue")
NO_CODE = _("No answer, or not sent at all")
OTHER = _("Other reasons")


@dataclass(frozen=True)
class Hour:
    """sent and failed (for good or for the moment) of one hour, which begins at `start`."""

    start: datetime
    sent: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Failures:
    """How many attempts ended without a sent mail, and what they were about, in words."""

    label: str | Promise
    count: int


@dataclass(frozen=True)
class History:
    """hours: the oldest first; failures: the most frequent class first."""

    hours: list[Hour]
    failures: list[Failures]

    @property
    def sent(self) -> int:
        """Mails of all these hours."""
        return sum(hour.sent for hour in self.hours)

    @property
    def most_failures(self) -> int:
        """Of the most frequent class."""
        return max((one.count for one in self.failures), default=0)


def history(now: datetime) -> History:
    """The last 48 hours, hour by hour, the current one last; failures by class, most frequent first.

    now: an aware time; hours begin where they do in the current time zone.
    """
    start = timezone.localtime(now).replace(minute=0, second=0, microsecond=0)
    # In UTC: hours of the wall clock are not all as long as the others.
    starts = [start.astimezone(UTC) - timedelta(hours=ago) for ago in reversed(range(HOURS))]
    sent: Counter[datetime] = Counter()
    failed: Counter[datetime] = Counter()
    classes: Counter[str | Promise] = Counter()
    with connection.cursor() as cursor:
        cursor.execute(PER_HOUR, {"starts": starts, "since": starts[0]})
        for hour, outcome, code, enhanced_code, count in cursor.fetchall():
            if not outcome:  # all of the hour
                sent[hour] += count
                continue
            sent[hour] -= count
            subject = f"{enhanced_code}..".split(".")[1]
            classes[failure_class(outcome, code, subject)] += count
            if outcome in ("failed", "retry"):
                failed[hour] += count
    return History(
        hours=[Hour(at, sent[at], failed[at]) for at in starts],
        failures=[Failures(label, count) for label, count in classes.most_common()],
    )


def failure_class(outcome: str, code: int | None, subject: str | None) -> str | Promise:
    """What an attempt that sent nothing was about, in words.

    subject: the middle figure of the enhanced status code, or "".
    """
    if outcome == "uncertain":
        return NO_ANSWER
    if outcome == "returned":
        return RETURNED
    if code is None:
        return NO_CODE
    return ABOUT.get(subject or ABOUT_CODE.get(code, ""), OTHER)


@dataclass(frozen=True)
class Rate:
    """Mails of a campaign that were sent or failed in the last hour; seconds that an attempt took."""

    count: int
    seconds: float


def rates() -> dict[int, Rate]:
    """The rate of each campaign that moved in the last hour, by its id."""
    with connection.cursor() as cursor:
        cursor.execute(RATES)
        return {campaign: Rate(count, spent / count) for campaign, count, spent in cursor.fetchall()}


def freed(account_ids: Iterable[int]) -> Mapping[int, list[tuple[datetime, int]]]:
    """When used parts of each account's 24 hours come free: (time, how many), in steps of 10 minutes."""
    with connection.cursor() as cursor:
        cursor.execute(FREED, {"accounts": list(account_ids)})
        return {
            account: [
                (datetime.fromtimestamp(at, UTC), count) for at, count in zip(times, counts, strict=True)
            ]
            for account, times, counts in cursor.fetchall()  # their order is made where they are used
        }
