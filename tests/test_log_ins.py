"""Providers that mind log-ins get few of them, and their accounts still run out together."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from campaigns import actions
from config.demo.smtp_server import LocalSmtpServer
from sending.dispatch import dispatch
from sending.models import Batch
from sending.sender import send_batch
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = pytest.mark.django_db
NAMES = [f"a{n}" for n in range(6)]


@pytest.fixture
def log_ins():
    return []


@pytest.fixture
def server(log_ins):
    def script(phase, login, rcpt):
        if phase == "auth":
            log_ins.append(login)

    with LocalSmtpServer({name: f"secret-{name}" for name in NAMES}, script=script) as server:
        yield server


@pytest.fixture
def make_accounts(server):
    def make(provider, **fields):
        return [
            make_account(
                name, port=server.port, username=name, password=f"secret-{name}", provider=provider, **fields
            )
            for name in NAMES
        ]

    return make


def send_batches(count):
    for _ in range(count):
        assert dispatch().batches == 1
        send_batch(Batch.objects.latest("id").pk)
        Batch.objects.update(finished=Now() - timedelta(hours=1), created=Now() - timedelta(hours=1),
                             started=Now() - timedelta(hours=1))  # fmt: skip


def test_a_batch_over_six_gmail_accounts_logs_in_once_and_batches_take_turns(server, make_accounts, log_ins):
    set_pace()
    make_accounts("gmail")
    actions.queue_campaign(make_campaign(make_list(60)))
    send_batches(6)
    assert sorted(log_ins) == NAMES
    assert Counter(record.login for record in server.received) == dict.fromkeys(NAMES, 10)


def test_a_batch_logs_in_to_the_next_account_when_the_first_is_used_up(server, make_accounts, log_ins):
    set_pace()
    make_accounts("gmail", daily_limit=4)
    actions.queue_campaign(make_campaign(make_list(60)))
    send_batches(1)
    assert sorted(log_ins) == NAMES[:3]


def test_accounts_that_do_not_mind_take_turns_mail_by_mail(server, make_accounts, log_ins):
    set_pace()
    make_accounts("custom")
    actions.queue_campaign(make_campaign(make_list(12)))
    send_batches(1)
    assert sorted(log_ins) == NAMES
    assert [record.login for record in server.received] == [*NAMES, *NAMES[:4]]


def test_two_campaigns_in_one_batch_share_the_account(server, make_accounts, log_ins):
    set_pace()
    accounts = make_accounts("gmail")
    first = make_campaign(make_list(5, "l1", "first"), name="first")
    first.accounts.set(accounts[3:4])
    actions.queue_campaign(first)
    actions.queue_campaign(make_campaign(make_list(5, "l2", "second"), name="second"))
    send_batches(1)
    assert log_ins == ["a3"]
    assert len(server.received) == 10
