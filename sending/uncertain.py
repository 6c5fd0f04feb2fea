"""What is known about each uncertain mail, and what happens with it next: by one statement, told in words.

A mail is looked for in its account's Sent folder SENT_FOLDER_LOOKS seconds after it became uncertain. The
last of these looks decides. A look that could not be done decides nothing and is done again; so is one that
proves nothing, where the account's rule is to send again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import SmtpAccount
from accounts.words import moment, number, upcoming
from sending import suppression
from sending.campaign import campaign_model
from sending.models import Pacing, QueuedEmail, SendLog

MOST_FAILURES = 50  # looks that decide nothing, a day's worth, until a person has to see to it
MOST_AT_ONCE = 1000

PLAN = """
SELECT mail.id AS mail, mail.batch_id AS batch, mail.account_id AS account, mail.campaign_id AS campaign,
       mail.message_id, batch.finished AS since, look.looks, look.failures, look.last_at, look.last_problem,
       CASE WHEN look.found_at IS NOT NULL THEN 'found'
            WHEN upcoming.look IS NOT NULL THEN 'look'
            WHEN upcoming.resend IS NOT NULL THEN 'resend'
            ELSE 'hold' END AS next,
       coalesce(look.found_at, upcoming.look, upcoming.resend, batch.finished) AS at
FROM sending_queuedemail mail
JOIN sending_batch batch ON batch.id = mail.batch_id AND batch.finished IS NOT NULL
JOIN accounts_smtpaccount account ON account.id = mail.account_id
JOIN {campaigns} campaign ON campaign.id = mail.campaign_id
CROSS JOIN LATERAL (
    SELECT count(*) AS looks, count(*) FILTER (WHERE has_failed) AS failures,
           max(at) AS last_at, (array_agg(problem ORDER BY id DESC))[1] AS last_problem,
           (array_agg(has_failed ORDER BY id DESC))[1] AS has_failed,
           max(at) FILTER (WHERE found) AS found_at,
           max(at) FILTER (WHERE NOT found AND NOT has_failed) AS missed_at
    FROM (
        SELECT *, found IS NULL OR (problem <> '' AND account.when_unproven = 'resend') AS has_failed
        FROM sending_sentfolderlook
    ) look WHERE look.queued_email_id = mail.id AND look.batch_id = mail.batch_id
) look
CROSS JOIN LATERAL (
    SELECT account.imap_host <> '' AND account.username <> '' AS has_folder,
           batch.finished + %(last)s * interval '1 second' AS last_due
) rule
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN NOT rule.has_folder OR look.failures >= %(most_failures)s OR look.missed_at >= rule.last_due
            THEN NULL
        WHEN look.has_failed
            THEN look.last_at + (%(steps)s::int[])[least(look.failures, %(count)s)] * interval '1 second'
        ELSE (SELECT min(batch.finished + step * interval '1 second') FROM unnest(%(steps)s::int[]) step
              WHERE look.missed_at IS NULL OR batch.finished + step * interval '1 second' > look.missed_at)
    END AS look, CASE
        WHEN account.when_unproven = 'resend' AND campaign.status <> 'cancelled'
             AND mail.attempts <= %(max_retries)s AND (NOT rule.has_folder OR look.missed_at >= rule.last_due)
            THEN coalesce(look.missed_at, rule.last_due)
    END AS resend
) upcoming
WHERE mail.status = 'uncertain'
"""
IS_DUE = "next <> 'hold' AND at <= statement_timestamp()"
DUE = f"SELECT * FROM ({PLAN}) plan WHERE {IS_DUE} ORDER BY at, mail LIMIT {MOST_AT_ONCE}"  # noqa: S608
OF_MAILS = f"SELECT * FROM ({PLAN} AND mail.id = ANY(%(mails)s)) plan ORDER BY mail"  # noqa: S608
IN_NUMBERS = f"SELECT campaign, next, count(*), min(at) FROM ({PLAN}) plan GROUP BY campaign, next"  # noqa: S608


def is_looked_for(account: SmtpAccount, **_: Any) -> bool:
    """Answers accounts.mailboxes: whether any mail of the account is uncertain."""
    return QueuedEmail.objects.filter(account=account, status=QueuedEmail.Status.UNCERTAIN).exists()


class Next(StrEnum):
    """What happens next with an uncertain mail."""

    FOUND = "found"  # a look found it: it is about to count as sent
    LOOK = "look"
    RESEND = "resend"
    HOLD = "hold"  # a person decides


@dataclass(frozen=True)
class Plan:
    """An uncertain mail's state of affairs: since when (aware), the looks so far, what is next, and when.

    looks: all of them; failures: those of them that decide nothing; last_problem: of the last, or "".
    """

    mail: int
    batch: int
    account: int
    campaign: int
    message_id: str
    since: datetime
    looks: int
    failures: int
    last_at: datetime | None
    last_problem: str | None
    next: str
    at: datetime


@dataclass(frozen=True)
class Expected:
    """Uncertain mails of which the same is next: how many, and when it is for the first of them."""

    count: int
    at: datetime


def due() -> list[Plan]:
    """What is to be done now, the longest due first."""
    return [Plan(*row) for row in _rows(DUE)]


def plans(mails: Iterable[int]) -> dict[int, Plan]:
    """Those of these mails (ids) that are uncertain."""
    return {row[0]: Plan(*row) for row in _rows(OF_MAILS, mails=list(mails))}


def in_numbers() -> dict[int, dict[str, Expected]]:
    """By campaign (id) and by what is next."""
    numbers: dict[int, dict[str, Expected]] = {}
    for campaign, what, count, at in _rows(IN_NUMBERS):
        numbers.setdefault(campaign, {})[what] = Expected(count, at)
    return numbers


def _rows(statement: str, **values: Any) -> list[tuple]:
    steps = settings.SENT_FOLDER_LOOKS
    pacing = Pacing.objects.first() or Pacing()
    values |= {"steps": steps, "count": len(steps), "last": steps[-1]}
    values |= {"max_retries": pacing.max_retries, "most_failures": MOST_FAILURES}
    with connection.cursor() as cursor:
        cursor.execute(statement.format(campaigns=campaign_model()._meta.db_table), values)
        return cursor.fetchall()


@dataclass(frozen=True)
class Told:
    """What staff are told of an uncertain mail, in words. since: aware, None where it is not known."""

    since: datetime | None
    phase: str
    last_word: str
    looked: str
    what_next: str


def tell(mails: Iterable[QueuedEmail]) -> dict[int, Told]:
    """What is known about each of these uncertain mails, by id. A constant number of queries."""
    mails = list(mails)
    known = plans(mail.pk for mail in mails)
    attempts = {
        (row.queued_email_id, row.batch_id): row
        for row in SendLog.objects.filter(queued_email__in=[mail.pk for mail in mails])
    }
    resent = [plan.mail for plan in known.values() if plan.next == Next.RESEND]
    suppressed = suppression.reasons(resent) if resent else {}
    now = timezone.localtime()
    return {
        mail.pk: _tell(
            mail, known.get(mail.pk), attempts.get((mail.pk, mail.batch_id)), suppressed.get(mail.pk, ""), now
        )
        for mail in mails
    }


def _tell(
    mail: QueuedEmail, plan: Plan | None, attempt: SendLog | None, suppressed: str, now: datetime
) -> Told:
    assert mail.account is not None  # an uncertain mail has one: sending_queuedemail_claimed_is_whole
    return Told(
        since=plan.since if plan else None,
        phase=attempt.get_phase_display() if attempt else _("Not known"),
        last_word=mail.last_reply,
        looked=_looked(plan, now) if plan else "",
        what_next=_what_next(mail, mail.account, plan, suppressed, now) if plan else "",
    )


def _looked(plan: Plan, now: datetime) -> str:
    if plan.last_at is None:
        return _("Not looked for yet.") if plan.next == Next.LOOK else _("Not looked for.")
    result = plan.last_problem or (_("it is there.") if plan.next == Next.FOUND else _("not there."))
    told = {"count": number(plan.looks), "at": moment(plan.last_at, now), "result": result}
    return (
        ngettext(
            "Looked once, %(at)s: %(result)s", "Looked %(count)s times, last %(at)s: %(result)s", plan.looks
        )
        % told
    )


def _what_next(mail: QueuedEmail, account: SmtpAccount, plan: Plan, suppressed: str, now: datetime) -> str:
    told = {"at": upcoming(plan.at, now), "reason": suppressed}
    if plan.next == Next.FOUND:
        return _("Counts as sent %(at)s.") % told
    if plan.next == Next.LOOK:
        return _("Is looked for in the Sent folder %(at)s.") % told
    if plan.next == Next.RESEND and suppressed:
        return _("Is not sent: %(at)s it goes back to the queue and ends as suppressed (%(reason)s).") % told
    if plan.next == Next.RESEND:
        return _("Is sent again %(at)s.") % told
    return _why_a_person(mail, account, plan)


def _why_a_person(mail: QueuedEmail, account: SmtpAccount, plan: Plan) -> str:
    if plan.failures >= MOST_FAILURES:
        return _("A person decides: the looks into the Sent folder prove nothing.")
    if account.when_unproven == "resend":
        if getattr(mail.campaign, "status", "") == "cancelled":
            return _("A person decides: its campaign is cancelled.")
        text = ngettext(
            "A person decides: it was tried once.",
            "A person decides: it was tried %(count)s times.",
            mail.attempts,
        )
        return text % {"count": number(mail.attempts)}
    if not (account.imap_host and account.username):
        return _("A person decides: the account has no IMAP host to look for it.")
    return _("A person decides.")
