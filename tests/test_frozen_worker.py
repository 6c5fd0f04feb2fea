"""A worker that was frozen past its lease sends no final dot any more."""

import time

import pytest

from accounts.clock import steady_time
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.phases import Phase
from config.demo.smtp_server import LocalSmtpServer
from tests.factories import make_account

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


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="this OS has no clock that counts on")
def test_the_time_of_a_suspended_host_counts():
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = steady_time()
    assert before <= now <= time.clock_gettime(time.CLOCK_BOOTTIME)
