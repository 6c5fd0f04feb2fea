"""SIGTERM ends a cluster within seconds, even while a mail waits for a slow server."""

from collections import Counter

import pytest
from django.db.models.functions import Now
from django_q.models import OrmQ
from django_q.tasks import async_task

from accounts.models import SmtpAccount
from campaigns import actions
from config.demo.smtp_server import Action, LocalSmtpServer
from sending.models import Batch, QueuedEmail, SendLog
from tests.cluster import wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance]

WITHIN = 10  # seconds, from SIGTERM to the end


def states():
    return Counter(QueuedEmail.objects.values_list("status", flat=True))


@pytest.fixture
def end_while_it_stalls(start_cluster):
    """Ends a cluster while its third mail waits for an answer in this phase."""

    def end(phase: str, *, from_mail: int = 3) -> None:
        stalled = []

        def script(where, login, rcpt):
            if where == phase and len(server.received) >= from_mail - 1:
                stalled.append(rcpt)
                return Action.STALL
            return None

        with LocalSmtpServer({"one": "secret1"}, script=script) as server:
            make_account(port=server.port, username="one", password="secret1")
            set_pace(batch_size=10)
            actions.queue_campaign(make_campaign(make_list(10)))
            cluster = start_cluster(SMTP_TIMEOUT="60")
            wait_for(lambda: stalled, what="a mail that waits")
            cluster.terminate_group(WITHIN)

    return end


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data"])
def test_before_the_final_dot_the_mail_goes_back_unharmed(phase, end_while_it_stalls):
    end_while_it_stalls(phase)
    assert states() == {"sent": 2, "pending": 8}
    assert set(QueuedEmail.objects.filter(status="pending").values_list("attempts", flat=True)) == {0}
    assert not Batch.objects.filter(finished=None).exists()


def test_a_server_that_greets_nobody_costs_neither_mail_nor_account_anything(end_while_it_stalls):
    end_while_it_stalls("connect", from_mail=1)
    assert states() == {"pending": 10}
    assert not SendLog.objects.exists()
    assert SmtpAccount.objects.get().pause_reason == ""
    assert not Batch.objects.filter(finished=None).exists()


def test_after_the_final_dot_the_mail_is_recorded_as_uncertain(end_while_it_stalls):
    end_while_it_stalls("dot")
    assert states() == {"sent": 2, "uncertain": 1, "pending": 7}
    attempt = SendLog.objects.get(outcome="uncertain")
    assert attempt.text == "The worker had to end while this mail was in its hand."  # not: a slow server
    assert not Batch.objects.filter(finished=None).exists()


def test_a_cluster_with_more_work_than_workers_ends_too_and_hands_the_rest_on(start_cluster):
    """Its pusher waits for room in the inner queue then, and nobody makes any: the workers take no more."""
    for _ in range(12):
        async_task("time.sleep", 3)
    cluster = start_cluster(WORKERS="2")
    # Two in hand, two in the inner queue, and one in the pusher's hand.
    wait_for(lambda: OrmQ.objects.filter(lock__gt=Now()).count() >= 5, what="a full inner queue")

    cluster.terminate_group(WITHIN)

    taken = OrmQ.objects.filter(lock__gt=Now())
    assert taken.count() == 0  # what was not begun is due at once, not in twenty minutes
    assert OrmQ.objects.filter(lock__lte=Now()).count() >= 8
