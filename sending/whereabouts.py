"""What is known of single mails: the last attempt, its reply, and why the mail waits. For a page of them:
the number of queries does not depend on how many there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.humanize.templatetags.humanize import ordinal
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.clock import database_now
from accounts.models import SmtpAccount
from accounts.reply import as_said
from accounts.words import moment, number, upcoming
from sending import life_signs, suppression, uncertain
from sending.models import Batch, Pacing, QueuedEmail, SendLog
from sending.window import Window, from_when

Status = QueuedEmail.Status
MOST_IN_LINE = 1000  # further back nobody counts

IN_LINE = """
SELECT mail.id, (SELECT count(*) FROM (
    SELECT 1 FROM sending_queuedemail other
    WHERE other.campaign_id = mail.campaign_id AND other.status = 'pending' AND other.id < mail.id
    LIMIT %(most)s) ahead)
FROM sending_queuedemail mail WHERE mail.id = ANY(%(mails)s)
"""
IN_BATCH = """
SELECT mail.id, (SELECT count(*) FROM sending_queuedemail other
    WHERE other.batch_id = mail.batch_id AND other.status = 'sending' AND other.position < mail.position
      AND NOT EXISTS (SELECT 1 FROM sending_sendlog log
                      WHERE log.batch_id = other.batch_id AND log.queued_email_id = other.id))
FROM sending_queuedemail mail WHERE mail.id = ANY(%(mails)s)
"""


@dataclass(frozen=True)
class Told:
    """A mail, and its last attempt (None: there was none yet). at: of that, or of its end.

    reply: the exact last reply. why: why it waits or what happens next, "" where nothing does.
    """

    mail: QueuedEmail
    attempt: SendLog | None
    at: datetime | None
    reply: str
    why: str

    @property
    def account(self) -> SmtpAccount | None:
        """That it is or was handed over by; of one that went back to the queue, that of its last attempt."""
        return self.mail.account or (self.attempt.account if self.attempt else None)


@dataclass(frozen=True)
class _Known:
    """What was read, once, for all mails of the page."""

    now: datetime
    status: dict[str, Any]  # of queue_status()
    window: Window
    campaign: dict[str, Any]
    accounts: Sequence[dict[str, Any]]
    max_retries: int
    in_line: dict[int, int]
    in_batch: dict[int, int]
    started: dict[int, datetime | None]
    silent: dict[int, datetime]  # life_signs.silent_batches()
    uncertain: dict[int, uncertain.Told]
    not_sent: dict[int, str]


def tell(mails: Sequence[QueuedEmail], status: dict[str, Any], campaign: dict[str, Any]) -> list[Told]:
    """About mails of one campaign. status: of queue_status(); campaign: its entry there."""
    attempts = last_attempts(mail.pk for mail in mails)
    known = _read(mails, status, campaign)
    return [_tell(mail, attempts.get(mail.pk), known) for mail in mails]


def last_attempts(mails: Iterable[int]) -> dict[int, SendLog]:
    """The newest ledger row of each of these mails (ids) that has one."""
    rows = SendLog.objects.filter(queued_email__in=list(mails)).select_related("account")
    newest = rows.order_by("queued_email_id", "-id").distinct("queued_email_id")
    return {row.queued_email_id: row for row in newest}


def _read(mails: Sequence[QueuedEmail], status: dict[str, Any], campaign: dict[str, Any]) -> _Known:
    now, pacing = timezone.localtime(), Pacing.objects.first() or Pacing()
    sending = [mail for mail in mails if mail.status == Status.SENDING]
    batches = Batch.objects.filter(pk__in={mail.batch_id for mail in sending})
    doubtful = [mail for mail in mails if mail.status == Status.UNCERTAIN]
    return _Known(
        now=now,
        status=status,
        window=pacing.window,
        campaign=campaign,
        accounts=[one for one in status["accounts"] if one["id"] in campaign["account_ids"]],
        max_retries=pacing.max_retries,
        in_line=_counted(IN_LINE, [mail for mail in mails if mail.status == Status.PENDING]),
        in_batch=_counted(IN_BATCH, sending),
        started=dict(batches.values_list("pk", "started")) if sending else {},
        silent=life_signs.silent_batches(database_now()) if sending else {},
        uncertain=uncertain.tell(doubtful) if doubtful else {},
        not_sent=suppression.why_not_sent(mails),
    )


def _counted(statement: str, mails: list[QueuedEmail]) -> dict[int, int]:
    if not mails:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(statement, {"mails": [mail.pk for mail in mails], "most": MOST_IN_LINE})
        return dict(cursor.fetchall())


def _tell(mail: QueuedEmail, attempt: SendLog | None, known: _Known) -> Told:
    is_new = attempt is not None and mail.status == Status.SENDING and attempt.batch_id == mail.batch_id
    said = mail.last_reply
    if attempt and (is_new or not said):
        said = as_said(attempt.code, attempt.enhanced_code, attempt.text)
    at = attempt.at if attempt else mail.finished_at
    if mail.status in (Status.CANCELLED, Status.SUPPRESSED):
        at = mail.finished_at
    return Told(mail, attempt, at, said, _why(mail, attempt if is_new else None, known))


def _why(mail: QueuedEmail, logged: SendLog | None, known: _Known) -> str:
    if mail.pk in known.not_sent and known.campaign["status"] != "cancelled":
        return known.not_sent[mail.pk]
    if mail.status == Status.PENDING:
        return ", ".join(_held(known) or _in_line(mail, known))
    if mail.status == Status.SENDING:
        return _in_batch(mail, logged, known)
    if mail.status == Status.RETRY:
        return ", ".join([_retry(mail, known), *_held(known)])
    if mail.status == Status.UNCERTAIN and mail.pk in known.uncertain:
        return known.uncertain[mail.pk].what_next
    return ""


def _held(known: _Known) -> list[str]:
    """What keeps back all of the campaign's mails."""
    campaign, start = known.campaign, known.campaign["scheduled_at"]
    if campaign["status"] == "paused":
        return [_("the campaign is paused")]
    if campaign["status"] == "cancelled":
        return [_("about to be cancelled")]
    if start and start > known.now:
        return [_("the campaign starts %s") % from_when(start, known.now, known.window)]
    if not known.status["alive"]:
        return [_not_alive(known)]
    if opens_at := known.window.opens_at(known.now):
        return [_("the sending window opens %s") % moment(opens_at, known.now)]
    resting = _resting(known)
    return [resting] if resting else []


def _not_alive(known: _Known) -> str:
    return _("sending fails") if known.status["failing"] else _("sending is not running")


def _resting(known: _Known) -> str:
    """Why no account of the campaign can take a mail, or ""."""
    enabled = [one for one in known.accounts if one["state"] != "disabled"]
    if not enabled:
        return _("no account is enabled")
    if any(one["state"] in ("ready", "spaced") for one in enabled):
        return ""
    ends = [(one["goes_on_at"], one) for one in enabled if one["goes_on_at"]]
    if not ends:
        names = ", ".join(f"“{one['name']}”" for one in enabled)
        text = ngettext(
            "account %s rests until somebody mends it",
            "accounts %s rest until somebody mends them",
            len(enabled),
        )
        return text % names
    until, first = min(ends, key=lambda end: end[0])
    told = {
        "account": first["name"],
        "until": from_when(until, known.now, known.window),
        "count": number(len(enabled)),
    }
    if len(enabled) == 1 and first["state"] == "full":
        return _("account “%(account)s” has used its limit, goes on %(until)s") % told
    if len(enabled) == 1:
        return _("account “%(account)s” rests, goes on %(until)s") % told
    return _("none of %(count)s accounts can send, “%(account)s” goes on first, %(until)s") % told


def _in_line(mail: QueuedEmail, known: _Known) -> list[str]:
    ahead = known.in_line.get(mail.pk, 0)
    if ahead >= MOST_IN_LINE:
        place = _("more than %s go before it") % number(MOST_IN_LINE)
    else:
        place = _("%s in line") % ordinal(ahead + 1) if ahead else _("next in line")
    if earlier := known.campaign["ahead"]:
        text = ngettext("after another campaign", "after %(count)s other campaigns", earlier)
        return [place, text % {"count": number(earlier)}]
    return [place]


def _in_batch(mail: QueuedEmail, logged: SendLog | None, known: _Known) -> str:
    told: dict[str, Any] = {"batch": mail.batch_id, "place": ordinal(known.in_batch.get(mail.pk, 0) + 1)}
    if logged:
        told["outcome"] = logged.get_outcome_display()
        return _("%(outcome)s; counted when batch %(batch)s ends") % told
    if mail.batch_id in known.silent:
        told["at"] = upcoming(known.silent[mail.batch_id], known.now)
        return _("in batch %(batch)s, whose worker is silent; if it died, settled %(at)s") % told
    if not known.status["alive"]:
        told["trouble"] = _not_alive(known)
        return _("in batch %(batch)s, but %(trouble)s") % told
    if mail.batch_id is not None and known.started.get(mail.batch_id) is None:
        return _("in batch %(batch)s, which waits for a worker") % told
    if not known.in_batch.get(mail.pk):
        return _("in batch %(batch)s, in hand now") % told
    return _("in batch %(batch)s, %(place)s in line") % told


def _retry(mail: QueuedEmail, known: _Known) -> str:
    told: dict[str, Any] = {"number": mail.attempts, "most": known.max_retries}
    if mail.next_attempt_at is None or mail.next_attempt_at <= known.now:
        return _("retry is due (%(number)s of %(most)s)") % told
    told["at"] = from_when(mail.next_attempt_at, known.now, known.window)
    return _("retry %(at)s (%(number)s of %(most)s)") % told
