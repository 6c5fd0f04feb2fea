"""Letters that take long to compose: the batch stays its worker's, and an end, or a stop, is heeded."""

import threading
from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models import F

from campaigns.models import Campaign
from sending import drain, sender, settle
from sending.composer import compose
from sending.models import Batch
from tests.batches import accounts_at, people, queue, received, send_next, states
from tests.factories import set_pace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def accounts(smtp_server):
    set_pace(batch_size=5)
    return accounts_at(smtp_server, "one")


@pytest.fixture
def while_composing(monkeypatch):
    """Two letters at once; this happens meanwhile. Returns the numbers of letters that were composed."""
    monkeypatch.setattr(sender, "AT_ONCE", 2)
    composed = []

    def plan(happens) -> list[int]:
        def compose_slowly(mails):
            composed.append(len(mails))
            happens()
            return compose(mails)

        monkeypatch.setattr(sender, "compose", compose_slowly)
        return composed

    return plan


def test_letters_that_take_longer_than_the_lease_in_all_leave_the_batch_its_workers(
    smtp_server, while_composing
):
    def most_of_the_lease_passes():
        spent = timedelta(seconds=settings.BATCH_LEASE * 0.6)
        Batch.objects.filter(finished=None).update(lease=F("lease") - spent)
        assert settle.recover() == 0

    composed = while_composing(most_of_the_lease_passes)
    queue(5)
    assert send_next().startswith("Batch sent: 5 emails")
    assert received(smtp_server) == people(1, 2, 3, 4, 5)
    assert composed == [2, 2, 1]


def test_a_worker_that_is_told_to_end_composes_no_more_and_gives_all_back(
    smtp_server, while_composing, monkeypatch
):
    monkeypatch.setattr(drain, "stopping", threading.Event())
    composed = while_composing(drain.stopping.set)
    queue(5)
    send_next()
    assert (states(), composed) == (["pending"] * 5, [2])


def test_a_worker_that_is_told_to_end_with_a_mail_in_hand_composes_no_other(
    smtp_server, while_composing, monkeypatch
):
    monkeypatch.setattr(drain, "stopping", threading.Event())

    def script(phase, login, rcpt):
        if (phase, rcpt) == ("dot", "person2@example.com"):
            drain.stopping.set()

    smtp_server.script = script
    composed = while_composing(lambda: None)
    queue(5)
    send_next()
    assert (states(), composed) == (["sent"] * 2 + ["pending"] * 3, [2])


def test_a_campaign_that_is_paused_while_later_letters_are_composed_sends_no_other(
    smtp_server, while_composing
):
    looks = iter([lambda: None, lambda: Campaign.objects.update(status="paused")])
    composed = while_composing(lambda: next(looks)())
    queue(5)
    send_next()
    assert received(smtp_server) == people(1, 2)
    assert (states(), composed) == (["sent"] * 2 + ["pending"] * 3, [2, 2])


def test_a_batch_that_was_recovered_while_its_letters_were_composed_is_left_alone(
    smtp_server, while_composing
):
    def the_lease_passes():
        Batch.objects.filter(finished=None).update(lease=F("lease") - timedelta(days=1))
        settle.recover()

    while_composing(the_lease_passes)
    queue(5)
    assert "was recovered while it was being sent" in send_next()
    assert not smtp_server.received
    assert states() == ["uncertain"] + ["pending"] * 4
