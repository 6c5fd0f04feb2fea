"""Servers that end a session after some mails: the next mail goes over a new one, at no cost."""

import pytest

from accounts.models import SmtpAccount
from config.demo.smtp_server import Action, LocalSmtpServer
from sending.models import QueuedEmail, SendLog
from tests.batches import accounts_at, people, queue, received, send_next, states
from tests.factories import set_pace
from tests.smtp_fixtures import USERS

pytestmark = pytest.mark.django_db


class Sessions:
    """Answers MAIL so, once a session has taken so many; counts the sessions."""

    def __init__(self, most, answer):
        self.most, self.answer = most, answer
        self.opened = self.mails = 0

    def __call__(self, phase, login, rcpt):
        if phase == "connect":
            self.opened, self.mails = self.opened + 1, 0
        if phase == "mail":
            self.mails += 1
            if self.mails > self.most:
                return self.answer
        return None


ENDS = ["421 4.7.0 Maximum message count per session reached", Action.DROP]


@pytest.fixture
def serve():
    """Sends a batch of five to a server that ends its sessions so; returns server and sessions."""

    def run(most, answer):
        sessions = Sessions(most, answer)
        with LocalSmtpServer(USERS, script=sessions) as server:
            set_pace()
            accounts_at(server, "one")
            queue(5)
            send_next()
            return server, sessions

    return run


@pytest.mark.parametrize("answer", ENDS, ids=str)
def test_a_session_that_ends_after_two_mails_costs_no_attempt_and_no_rest(serve, answer):
    server, sessions = serve(2, answer)
    assert states() == ["sent"] * 5
    assert received(server) == people(1, 2, 3, 4, 5)
    assert sessions.opened == 3
    assert set(SendLog.objects.values_list("outcome", flat=True)) == {"sent"}
    assert not SmtpAccount.objects.get().is_paused


@pytest.mark.parametrize(("answer", "state"), [(ENDS[0], "pending"), (ENDS[1], "retry")], ids=str)
def test_a_new_session_that_takes_no_mail_is_not_tried_again(serve, answer, state):
    server, sessions = serve(0, answer)
    assert not server.received
    assert QueuedEmail.objects.earliest("id").status == state
    assert sessions.opened == SendLog.objects.count()
    assert SmtpAccount.objects.get().is_paused


def test_a_session_that_refuses_a_mail_and_goes_on_is_kept(serve):
    _server, sessions = serve(2, "451 4.3.0 Later")
    assert states()[:2] == ["sent"] * 2
    assert sessions.opened == 1
