"""A test mail: a campaign's letter to oneself, handed over while its sender waits for the answer.

It counts against its account's limits like any other mail, by its own row (TestMail, sending/capacity.py).
The row is written under the account's lock, where claims are made, too, and committed before SMTP talks; no
transaction is open then. Whatever becomes of the process that talks, the row stays and counts. It stops
counting only where the server's answer, or that no final dot was sent, proves that nothing was accepted.
"""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Least, Now
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import timeouts
from accounts.addresses import ascii_address
from accounts.checking import explain
from accounts.clock import steady_time
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.models import SmtpAccount
from accounts.phases import Phase
from accounts.reply import as_said, one_line
from accounts.words import moment
from sending import capacity, effects, replies
from sending.composer import ComposeError, Letter
from sending.database import patiently
from sending.dispatch import message_id
from sending.functions import ClockTimestamp
from sending.judge import judge
from sending.ledger import REPLY_LENGTH, Attempt
from sending.limit_words import LIMITS
from sending.messages import build_message
from sending.models import QueuedEmail, TestMail
from sending.suppression import suppression_of

logger = logging.getLogger(__name__)
Outcome = TestMail.Outcome
# Seconds, the unit of accounts.timeouts: somebody waits, so it is shorter than SMTP_TIMEOUT. All together
# it is a minute at most.
UNIT = 8.0
# Hosts that were suspended meanwhile go on late, but their servers hang up by then: see ledger.LATEST.
SUSPENDED = timedelta(minutes=2)


class Refused(Exception):
    """No test mail was sent; the text says why and what to do."""


@dataclass(frozen=True)
class Told:
    """What became of a test mail. tone: as of a chip; text: in words; said: the server's reply, or ""."""

    tone: str
    text: str
    said: str


def send_test(letter: Letter, account_id: int, to: str, *, campaign: int | None, user: Any) -> Told:
    """Sends the letter to this address over the account, now; takes a minute at most.

    Raises Refused where the account may not send now, or nothing may go to the address.
    """
    address = _address(to)
    unit = min(UNIT, settings.SMTP_TIMEOUT)
    before_dot = unit * (timeouts.OPENING + timeouts.MESSAGE)
    ends = steady_time() + before_dot
    counts_until = timedelta(seconds=before_dot) + SUSPENDED
    mail = _reserve(account_id, address, counts_until, campaign, user)
    attempt, failure = _hand_over(mail, letter, unit, ends)
    _record(mail, attempt)
    if attempt.verdict.pause is not None and attempt.code is not None:
        effects.rest(attempt, attempt.verdict.pause, attempt.verdict.cure)
    logger.info("Test mail %s over account %s: %s", mail.pk, mail.account_id, mail.outcome)
    return _told(mail, failure)


def _address(to: str) -> str:
    try:
        address = ascii_address(to.strip())
    except ValueError:
        raise Refused(_("Enter one address, such as name@example.com.")) from None
    if suppression_of(address):
        raise Refused(_("This address is on the suppression list, so it gets nothing: choose another."))
    return address


# --- Reserving: under the account's lock, committed before anything is sent ---


def _reserve(
    account_id: int, address: str, counts_until: timedelta, campaign: int | None, user: Any
) -> TestMail:
    """Takes one mail of what the account's limits leave. Raises Refused where they leave none."""
    with transaction.atomic(durable=True):
        # NO KEY: the ledger's foreign keys may still be checked meanwhile.
        usable = SmtpAccount.objects.usable().select_for_update(no_key=True)
        account = usable.filter(pk=account_id).first()
        if account is None:
            raise Refused(_why_unusable(account_id))
        _check_room(account)
        mail = TestMail.objects.create(
            account=account,
            campaign_id=campaign,
            email=address,
            sent_by=user,
            message_id=message_id(account.email),
            counts_at=Now() + counts_until,
        )
    mail.refresh_from_db(fields=["started_at", "counts_at"])
    return mail


def _why_unusable(account_id: int) -> str:
    account = SmtpAccount.objects.filter(pk=account_id).first()
    if account is None:
        return _("Choose an account to send it over.")
    if not account.is_enabled:
        return _("“%s” is disabled: choose another account, or enable it.") % account
    told = {"account": account, "reason": account.pause_reason}
    return _("“%(account)s” is paused: %(reason)s Choose another account, or resume it.") % told


def _check_room(account: SmtpAccount) -> None:
    """Raises Refused where a limit or the spacing lets nothing out now. Needs the account's lock."""
    known = capacity.look([account.pk])[account.pk]
    if known.held_by or not known.left:
        free = moment(known.held_until, timezone.localtime()) if known.held_until else _("later")
        told = {"account": account, "limit": LIMITS[known.held_by or "24 h"], "free": free}
        if known.held_by == "spacing":
            raise Refused(_("“%(account)s” waits for its spacing; its next mail may go %(free)s.") % told)
        text = _("“%(account)s” has used its %(limit)s; its next mail may go %(free)s.")
        raise Refused(text % told + " " + _("Choose another account."))
    # A worker spaces the mails of its batch by its own clock: none may come between them.
    at_work = QueuedEmail.objects.filter(account=account, status=QueuedEmail.Status.SENDING)
    if account.spacing and at_work.exists():
        text = _(
            "“%s” spaces its mails, and sends some just now: choose another account, or try again later."
        )
        raise Refused(text % account)


# --- Handing over: no transaction is open ---


def _hand_over(
    mail: TestMail, letter: Letter, unit: float, ends: float
) -> tuple[Attempt, SmtpFailure | None]:
    begun = steady_time()
    phase, code, enhanced, text, failure = Phase.DOT, None, "", "", None
    try:
        reply = _talk(mail.account, mail.email, _message(mail, letter), unit, ends)
        code, enhanced, text, verdict = reply.code, reply.enhanced_code, reply.text, replies.SENT
    except ComposeError as error:
        phase, text, verdict = Phase.COMPOSE, str(error), replies.CANT_COMPOSE
    except SmtpFailure as error:
        failure = error
        phase, code, enhanced, text = error.phase, error.code, error.enhanced_code, error.text
        verdict = judge(
            phase, code, enhanced, text,
            provider=mail.account.provider, host=mail.account.host, after_dot=error.after_dot,
        )  # fmt: skip
    took = steady_time() - begun
    return Attempt(0, mail.account_id, phase, code, enhanced, text, verdict, took), failure


def _message(mail: TestMail, letter: Letter) -> bytes:
    account = mail.account
    return build_message(
        replace(letter, subject=_("[Test] %s") % letter.subject, to_name=""),
        from_email=account.email,
        from_name=account.from_name,
        reply_to=account.reply_to,
        to_email=mail.email,
        message_id=mail.message_id,
        date=mail.started_at,
    )


def _talk(account: SmtpAccount, to: str, message: bytes, unit: float, ends: float) -> Any:
    conversation = SmtpConnection(account, timeout=unit)
    try:
        conversation.open()
        return conversation.send(ascii_address(account.email), to, message, ends=ends)
    finally:
        conversation.close()


# --- Recording ---


def _record(mail: TestMail, attempt: Attempt) -> None:
    """Writes how it ended. From then on it counts at that time, or not at all."""
    columns = {
        "outcome": _outcome(attempt.verdict),
        "phase": attempt.phase,
        "code": attempt.code,
        "enhanced_code": attempt.enhanced_code[:12],
        "text": one_line(attempt.text)[:REPLY_LENGTH],
    }
    row = TestMail.objects.filter(pk=mail.pk, outcome=Outcome.SENDING)
    patiently(lambda: row.update(counts_at=Least("counts_at", ClockTimestamp()), **columns))
    for name, value in columns.items():
        setattr(mail, name, value)


def _outcome(verdict: replies.Verdict) -> str:
    """A verdict that is neither is a refusal, or says that no final dot was sent: both are proof."""
    return {"sent": Outcome.SENT, "uncertain": Outcome.UNCERTAIN}.get(verdict.outcome, Outcome.REFUSED)


def _told(mail: TestMail, failure: SmtpFailure | None) -> Told:
    said = as_said(mail.code, mail.enhanced_code, mail.text)
    where = {"email": mail.email, "account": mail.account}
    if mail.outcome == Outcome.SENT:
        return Told(
            "good", _("Sent to %(email)s over “%(account)s”: look in that mailbox now.") % where, said
        )
    if mail.outcome == Outcome.UNCERTAIN:
        text = _(
            "It may have arrived: the server gave no answer in time. Look in the mailbox of %(email)s first."
        )
        return Told("warning", text % where, said)
    if mail.phase == Phase.COMPOSE:
        return Told("bad", _("Not sent: %s") % mail.text, "")
    if failure is not None and mail.phase in (Phase.CONNECT, Phase.TLS, Phase.AUTH, Phase.MAIL):
        why = explain(mail.account, failure)
        return Told(
            "bad", _("Not sent. %(problem)s %(cure)s") % {"problem": why.problem, "cure": why.cure}, said
        )
    return Told("bad", _("Not sent: the server of “%(account)s” did not accept it.") % where, said)
