"""Between two mails of an account lies at least its spacing, within a batch and from batch to batch."""

from datetime import timedelta
from itertools import pairwise

import pytest
from django.db.models.functions import Now

from accounts.clock import database_now
from accounts.models import SmtpAccount
from campaigns import actions
from config.demo.smtp_server import LocalSmtpServer
from sending import capacity
from sending.dispatch import dispatch
from sending.health import is_stuck
from sending.models import Batch, QueuedEmail, SendLog
from sending.sender import send_batch
from sending.spacing import Spacing, most_in_a_batch
from tests.factories import make_account, make_campaign, make_list, set_pace
from tests.queue_rows import make_queue, make_sent, queued

pytestmark = pytest.mark.django_db


@pytest.fixture
def server():
    with LocalSmtpServer({"one": "secret1", "two": "secret2"}) as server:
        yield server


@pytest.fixture
def slow(server):
    return make_account("one", port=server.port, username="one", password="secret1", spacing=0.2)


def send():
    done = dispatch()
    for batch in Batch.objects.filter(started=None, finished=None):
        send_batch(batch.pk)
    return done.mails


def gaps(account):
    """Seconds between the end of a mail and the start of the next, by the ledger."""
    rows = list(SendLog.objects.filter(account=account).order_by("at").values_list("at", "duration"))
    return [
        (at - duration * timedelta(seconds=1) - before).total_seconds()
        for (before, _), (at, duration) in pairwise(rows)
    ]


@pytest.mark.django_db(transaction=True)  # within one transaction Postgres' now() stands still
def test_mails_of_a_slow_account_keep_their_distance_within_a_batch_and_between_two(slow, server):
    set_pace(batch_interval=0.5)
    actions.queue_campaign(make_campaign(make_list(6)))
    assert send() == 3  # as many as fit between two batches
    while QueuedEmail.objects.filter(status="pending").exists():
        send()
    assert len(server.received) == 6
    assert min(gaps(slow)) >= 0.19  # the ledger row is written a little after the mail's end


def test_a_jitter_makes_the_distance_longer_only(slow, server):
    SmtpAccount.objects.update(spacing=0.1, spacing_jitter=0.1)
    set_pace(batch_interval=1)
    actions.queue_campaign(make_campaign(make_list(4)))
    send()
    assert len(server.received) == 4
    assert min(gaps(slow)) >= 0.09


def test_a_slow_account_gets_few_mails_of_a_mixed_batch_and_the_other_gets_the_rest(slow, server):
    SmtpAccount.objects.update(spacing=20)
    quick = make_account("two", port=server.port, username="two", password="secret2")
    set_pace(batch_interval=30)
    actions.queue_campaign(make_campaign(make_list(30)))
    dispatch()
    by_account = QueuedEmail.objects.filter(status="sending").values_list("account", flat=True)
    assert sorted(by_account) == [slow.pk] * 2 + [quick.pk] * 8


def test_an_account_that_sent_just_now_gets_nothing_until_its_spacing_is_over(slow):
    SmtpAccount.objects.update(spacing=600)
    set_pace()
    make_sent(queued("Earlier"), slow, 1, timedelta(seconds=500))
    Batch.objects.update(finished=Now() - timedelta(hours=1), created=Now() - timedelta(hours=1))
    actions.queue_campaign(make_campaign(make_list(3)))
    assert dispatch().mails == 0
    SmtpAccount.objects.update(spacing=400)
    assert dispatch().mails == 1


def test_a_batch_belongs_to_its_worker_for_as_long_as_it_may_have_to_wait(slow, server, settings):
    SmtpAccount.objects.update(spacing=100, spacing_jitter=0)
    set_pace(batch_interval=250)
    actions.queue_campaign(make_campaign(make_list(3)))
    dispatch()
    settings.BATCH_BUDGET = 50  # the wait is too long for it: the batch ends at once
    batch = Batch.objects.get()
    send_batch(batch.pk)
    assert QueuedEmail.objects.filter(status="pending").count() == 2  # given back, unharmed
    batch.refresh_from_db()
    assert batch.lease - batch.started > timedelta(seconds=settings.BATCH_LEASE + 20)


@pytest.mark.parametrize(
    ("spacing", "jitter", "wait", "interval", "most"),
    [
        (0, 5, 0, 30, None),
        (10, 0, 0, 30, 3),
        (10, 0, 0.5, 30, 3),
        (10, 5, 0, 30, 2),
        (60, 0, 0, 30, 1),
        (60, 0, 29, 30, 1),
        (60, 0, 30, 30, 0),
        (1, 0, 0, 86_400, 300),  # half of what a batch may take
    ],
)
def test_as_many_go_into_a_batch_as_fit_between_two(spacing, jitter, wait, interval, most):
    account = SmtpAccount(spacing=spacing, spacing_jitter=jitter)
    assert most_in_a_batch(account, wait, interval) == most


def test_an_account_that_its_spacing_holds_back_is_not_stuck(slow):
    SmtpAccount.objects.update(spacing=3600)
    set_pace()
    campaign = queued(queued_at=database_now() - timedelta(days=1))
    make_sent(campaign, slow, 1, timedelta(minutes=50))
    Batch.objects.update(created=Now() - timedelta(minutes=50))
    make_queue(campaign, count=3)
    assert not is_stuck(database_now())
    SmtpAccount.objects.update(spacing=60)
    assert is_stuck(database_now())


def test_what_the_question_to_the_ledger_takes_shortens_no_distance(slow, monkeypatch):
    """As where the process is frozen, or the statement waits in a pool."""
    SmtpAccount.objects.update(spacing=10)
    slow.refresh_from_db()
    make_sent(queued(), slow, 1)
    clock, look = [1000.0], capacity.look

    def look_slowly(accounts):
        clock[0] += 4
        return look(accounts)

    monkeypatch.setattr("sending.spacing.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("sending.spacing.capacity.look", look_slowly)
    assert Spacing([slow]).wait(slow.pk) > 9
