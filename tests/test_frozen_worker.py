"""A worker that was frozen past its lease sends no final dot any more."""

import time

import pytest

from accounts.client import BoundedSmtp
from accounts.clock import steady_time
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.models import SmtpAccount
from accounts.phases import Phase
from config.demo.smtp_server import LocalSmtpServer
from sending import ledger
from sending.sender import send_batch
from tests.batches import accounts_at, claim, people, queue, received
from tests.factories import make_account, set_pace

pytestmark = pytest.mark.django_db
MAIL = ("a1@sender.example", "b@example.com", b"Subject: x\r\n\r\nHi\r\n")


def test_nothing_is_sent_once_the_lease_has_run_out():
    with LocalSmtpServer() as server:
        connection = SmtpConnection(make_account(port=server.port))
        connection.open()
        with pytest.raises(SmtpFailure) as failure:
            connection.send(*MAIL, ends=steady_time())
        assert (failure.value.phase, failure.value.after_dot) == (Phase.MAIL, False)
        assert not server.received


def test_the_dot_is_not_sent_when_the_lease_runs_out_while_the_mail_is_handed_over():
    with LocalSmtpServer() as server:
        ends = steady_time() + 1

        def freeze(phase: str, login: str, rcpt: str) -> None:
            while phase == "data" and steady_time() < ends:
                time.sleep(0.05)

        server.script = freeze
        connection = SmtpConnection(make_account(port=server.port))
        connection.open()
        with pytest.raises(SmtpFailure) as failure:
            connection.send(*MAIL, ends=ends)
        assert (failure.value.phase, failure.value.after_dot) == (Phase.DATA, False)
        assert not server.received


def test_the_dot_is_not_sent_when_the_lease_runs_out_just_before_it(monkeypatch):
    def hand_over(self, message, seconds):
        hand_over_whole(self, message, seconds)
        freeze_until(ends)

    ends = steady_time() + 2
    hand_over_whole = BoundedSmtp.hand_over
    monkeypatch.setattr(BoundedSmtp, "hand_over", hand_over)
    with LocalSmtpServer() as server:
        connection = SmtpConnection(make_account(port=server.port))
        connection.open()
        with pytest.raises(SmtpFailure) as failure:
            connection.send(*MAIL, ends=ends)
        assert (failure.value.phase, failure.value.after_dot) == (Phase.DATA, False)
        assert not server.received


def freeze_until(moment: float) -> None:
    while steady_time() <= moment:
        time.sleep(0.05)


def test_a_worker_whose_server_answers_after_its_lease_hands_the_mail_not_over(smtp_server, settings):
    def freeze(phase: str, login: str, rcpt: str) -> None:
        if phase == "data":
            freeze_until(steady_time() + 2)

    set_pace()
    accounts_at(smtp_server, "one")
    queue(1)
    batch = claim()
    smtp_server.script = freeze
    settings.BATCH_LEASE = 1
    send_batch(batch.pk)
    assert not smtp_server.received


@pytest.mark.parametrize(("step", "spacing", "sent"), [("record", 0, (1,)), ("renew", 0.1, ())])
def test_the_lease_counts_from_before_postgres_was_asked_for_it(
    smtp_server, settings, monkeypatch, step, spacing, sent
):
    """A worker that froze while the answer was under way holds it no longer than Postgres says."""

    def ask(hold, *args):
        asked = steady_time()
        answer = ask_postgres(hold, *args)
        freeze_until(asked + hold.lease)
        return answer

    set_pace()
    accounts_at(smtp_server, "one")
    SmtpAccount.objects.update(spacing=spacing)
    queue(2)
    batch = claim()
    settings.BATCH_LEASE = 2
    ask_postgres = getattr(ledger, step)
    monkeypatch.setattr(ledger, step, ask)
    send_batch(batch.pk)
    assert received(smtp_server) == people(*sent)


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this OS has no clock that counts on")
def test_the_time_of_a_suspended_host_counts():
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = steady_time()
    assert before <= now <= time.clock_gettime(time.CLOCK_BOOTTIME)
