"""Sends one batch: strictly in order, one ledger row after each mail, nothing in memory that matters."""

import logging
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from uuid import UUID, uuid4

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts import timeouts
from accounts.clock import database_now, steady_time
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.models import SmtpAccount
from accounts.phases import Phase
from accounts.reply import SmtpReply
from sending import batch_words, drain, effects, ledger, replies, settle
from sending.composer import ComposeError, ComposeFault, Letter, compose
from sending.database import patiently
from sending.judge import judge
from sending.ledger import Attempt, Hold
from sending.messages import ascii_address, build_message
from sending.models import Batch, Pacing, QueuedEmail
from sending.spacing import Spacing

logger = logging.getLogger(__name__)
AT_ONCE = 10  # letters composed at once: between two such lots the lease is renewed, and an end heeded
LONG_WAIT = 5.0  # seconds; what the ledger said before it, of who may send, is asked again after it


def send_batch(batch_id: int) -> str:
    """Sends the mails of a claimed batch and settles it. Returns the log line.

    A batch that was started before, here or elsewhere, is left alone: wake-ups may come twice.
    """
    begun = steady_time()
    token = _start(batch_id)
    if token is None:
        return f"Batch {batch_id} was started before"
    sender = None
    try:
        sender = _Sender(batch_id, token, lease_ends=begun + settings.BATCH_LEASE)
        is_ours = sender.send()
    except BaseException:  # django-q2's time-out is a SystemExit
        if sender is None or not sender.in_hand:
            settle.settle(batch_id, token)  # nothing is in doubt: the rest goes back unharmed
        raise
    if not is_ours:
        return f"Batch {batch_id} was recovered while it was being sent"
    settled = settle.settle(batch_id, token)
    if settled is None:
        return f"Batch {batch_id} was recovered before it was settled"
    line = batch_words.sentence(settled, len(sender.mails), settle.queue_remaining())
    logger.info(line)
    return line


def _start(batch_id: int) -> UUID | None:
    token = uuid4()
    lease = Now() + timedelta(seconds=settings.BATCH_LEASE)
    # Its own token: the row of a commit whose answer got lost.
    startable = Batch.objects.filter(Q(started=None) | Q(token=token), pk=batch_id, finished=None)
    started = patiently(lambda: startable.update(started=Now(), token=token, lease=lease))
    return token if started else None


class _TakenAway(Exception):
    """The batch is not this worker's any more: nothing may be started."""


class _Over(Exception):
    """The worker has to end, or the batch has no more time: the rest goes back."""


class _Sender:
    """The run of one batch. What it knows dies with it; the ledger has what counts."""

    def __init__(self, batch_id: int, token: UUID, lease_ends: float):
        # By steady_time(), never later than by Postgres' clock: one that was frozen past it sends no
        # final dot any more, for somebody else may have the mail by then.
        self.lease_ends = lease_ends
        self.pacing = Pacing.load()
        campaigns, accounts = ledger.versions(batch_id)  # before what they are versions of
        self.mails = list(
            QueuedEmail.objects.filter(batch=batch_id, status=QueuedEmail.Status.SENDING)
            .order_by("position")
            .select_related("account")
        )
        self.spacing = Spacing(mail.account for mail in self.mails if mail.account)
        self.longest_pause = max(self.pacing.delay + self.pacing.jitter, self.spacing.longest)
        lease = settings.BATCH_LEASE + self.longest_pause
        self.hold = Hold(batch_id, token, lease, campaigns, accounts)
        self.pause = 0.0  # seconds before the next mail
        self.letters: Mapping[int, Letter | ComposeError] = {}
        self.connections: dict[int, SmtpConnection] = {}
        self.effects = effects.Effects(self.hold)
        self.started = time.monotonic()
        self.in_hand = False  # whether a mail was begun that has no ledger row yet

    def send(self) -> bool:
        """Sends what it may. False when the batch was taken away; then nothing more was started."""
        if self.pacing.window.opens_at(timezone.localtime(database_now())):
            return True  # it closed since the claim: no batch begins any more
        self.effects.heed_limits()
        try:
            for mail in self.mails:
                if self._may_go(mail):
                    self._send_one(mail)
                    self.pause = self.pacing.delay + random.uniform(0, self.pacing.jitter)  # noqa: S311
        except _TakenAway:
            return False
        except _Over:
            return True
        except drain.Cut:  # the mail never came to the final dot: it goes back, too
            self.in_hand = False
            return True
        finally:
            self._close_connections()
        return self.effects.is_ours

    def _may_go(self, mail: QueuedEmail) -> bool:
        """Composes its letter and waits for its turn. False where it was given back to the queue meanwhile.

        Raises _TakenAway, and _Over.
        """
        if not self.effects.is_ours:
            raise _TakenAway
        if self.effects.handed_back(mail):
            return False
        if mail.pk not in self.letters:
            self._compose_from(mail)
            if self.effects.handed_back(mail):
                return False
        wait = max(self.pause, self.spacing.wait(mail.account_id))
        self._wait(wait)
        if wait >= LONG_WAIT:
            self._look_again()
        return not self.effects.handed_back(mail)

    def _compose_from(self, mail: QueuedEmail) -> None:
        """Composes this mail's letter and the next ones', which may take a while."""
        self._wait(0)
        rest = self.mails[self.mails.index(mail) :]
        upcoming = [one for one in rest if not self.effects.handed_back(one)][:AT_ONCE]
        self.letters = patiently(lambda: compose(upcoming))
        self._look_again()

    def _look_again(self) -> None:
        """Renews the lease and gives back what was stopped meanwhile. Raises _TakenAway."""
        asked = steady_time()
        if not ledger.renew(self.hold):
            raise _TakenAway
        self.lease_ends = asked + self.hold.lease
        self.effects.heed(ledger.stopped(self.hold))
        if not self.effects.is_ours:
            raise _TakenAway

    def _close_connections(self) -> None:
        with suppress(drain.Cut):
            for connection in self.connections.values():
                with drain.cut_when_over():
                    connection.close()

    def _wait(self, pause: float) -> None:
        """Waits so many seconds. Raises _Over when told to end, or when the batch has no time for that."""
        ends = time.monotonic() - self.started + pause
        is_too_long = ends > settings.BATCH_BUDGET or pause > self.longest_pause
        if is_too_long or drain.stopping.wait(pause):
            raise _Over

    def _send_one(self, mail: QueuedEmail) -> None:
        """Sends one mail and draws the consequences. Raises _TakenAway."""
        self.in_hand = True
        attempt = self._attempt(mail, self.letters[mail.pk])
        asked = steady_time()
        stopped = ledger.record(self.hold, attempt)
        self.lease_ends = asked + self.hold.lease
        if stopped is None:
            ledger.record_late_truth(self.hold, attempt)
        self.in_hand = False
        self.spacing.note(mail.account_id)
        self.effects.follow(mail, attempt)
        if stopped is None:
            raise _TakenAway
        self.effects.heed(stopped)
        if steady_time() - asked >= LONG_WAIT:  # it had to wait: its answer is old, and so is the lease
            self._look_again()

    def _attempt(self, mail: QueuedEmail, letter: Letter | ComposeError) -> Attempt:
        started = time.monotonic()
        phase, code, enhanced_code, text, verdict = self._try(mail, letter)
        return Attempt(
            mail.pk, mail.account_id or 0, phase, code, enhanced_code, text, verdict,
            time.monotonic() - started,
        )  # fmt: skip

    def _try(
        self, mail: QueuedEmail, letter: Letter | ComposeError
    ) -> tuple[str, int | None, str, str, replies.Verdict]:
        account = mail.account
        assert account is not None  # a claimed mail has one: sending_queuedemail_claimed_is_whole
        try:
            message = _message(mail, account, letter)
            envelope = ascii_address(account.email), ascii_address(mail.email)
        except ComposeError as error:
            verdict = replies.CANT_COMPOSE_NOW if isinstance(error, ComposeFault) else replies.CANT_COMPOSE
            return Phase.COMPOSE, None, "", str(error), verdict
        try:
            reply = self._hand_over(account, envelope, message)
        except SmtpFailure as failure:
            if drain.over.is_set() and failure.code is None and not failure.after_dot:
                raise drain.Cut from failure
            verdict = judge(
                failure.phase, failure.code, failure.enhanced_code, failure.text,
                provider=account.provider, host=account.host, after_dot=failure.after_dot,
            )  # fmt: skip
            return failure.phase, failure.code, failure.enhanced_code, failure.text, verdict
        return Phase.DOT, reply.code, reply.enhanced_code, reply.text, replies.SENT

    def _hand_over(self, account: SmtpAccount, envelope: tuple[str, str], message: bytes) -> SmtpReply:
        """Hands a mail over; once more, over a new session, where the server ended the old one before it."""
        ends = min(self.lease_ends, steady_time() + timeouts.up_to_dot(settings.SMTP_TIMEOUT))
        try:
            return self._send_over_session(account, envelope, message, ends)
        except SmtpFailure as failure:
            if not failure.ends_session or drain.over.is_set():
                raise
        return self._send_over_session(account, envelope, message, ends)

    def _send_over_session(
        self, account: SmtpAccount, envelope: tuple[str, str], message: bytes, ends: float
    ) -> SmtpReply:
        with drain.cut_when_over():
            connection = self._connection(account)
        try:
            with drain.cut_when_over():
                return connection.send(*envelope, message, ends=ends)
        except drain.Cut as cut:  # between two steps: the last one may have been done
            raise SmtpFailure(Phase.DOT, str(cut), after_dot=True) from None

    def _connection(self, account: SmtpAccount) -> SmtpConnection:
        """The account's open connection: one for the whole batch, a new one only after a loss."""
        connection = self.connections.get(account.pk)
        if connection is None or not connection.is_open:
            connection = SmtpConnection(account)
            connection.open()
            self.connections[account.pk] = connection
        return connection


def _message(mail: QueuedEmail, account: SmtpAccount, letter: Letter | ComposeError) -> bytes:
    if isinstance(letter, ComposeError):
        raise letter
    assert mail.dated_at is not None  # fixed by the claim
    return build_message(
        letter,
        from_email=account.email,
        from_name=account.from_name,
        reply_to=account.reply_to,
        to_email=mail.email,
        message_id=mail.message_id,
        date=mail.dated_at,
    )
