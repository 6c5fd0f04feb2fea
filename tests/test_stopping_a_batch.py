"""Who stops a campaign or an account stops a batch that has begun before its next mail."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import product

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from accounts.actions import pause_account
from accounts.models import SmtpAccount
from campaigns import actions
from campaigns.models import Campaign
from sending import ledger, sender, settle, suppression
from sending.actions import cancel_leftovers
from sending.composer import compose
from sending.models import Batch, QueuedEmail, SendLog
from sending.sender import LONG_WAIT, send_batch
from tests.batches import LONG_AGO, accounts_at, claim, people, queue, received, send, send_next, states
from tests.cluster import wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace
from tests.smtp_fixtures import USERS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def accounts(smtp_server):
    set_pace()
    return accounts_at(smtp_server)


@pytest.fixture
def meanwhile(smtp_server):
    """meanwhile(n, sql): somebody else does this while the n-th mail is in the worker's hand."""

    def plan(number: int, sql: str) -> None:
        def script(phase, login, rcpt):
            if (phase, rcpt) == ("dot", f"person{number}@example.com"):
                parameters = connection.get_connection_params() | {"cursor_factory": None}
                with psycopg.connect(**parameters) as own:
                    own.execute(sql)

        smtp_server.script = script

    return plan


AHEAD = timezone.now().replace(year=2120)
CAMPAIGN = "UPDATE campaigns_campaign SET status = '{}'"
SUPPRESS = """INSERT INTO sending_suppression (email, reason, source)
              VALUES ('person3@example.com', 'manual', '')"""
ACCOUNT = "UPDATE accounts_smtpaccount SET {} WHERE name = 'one'"


def test_a_campaign_that_a_person_pauses_sends_nothing_more(smtp_server, meanwhile):
    meanwhile(2, CAMPAIGN.format("paused"))
    told = send(6)
    assert received(smtp_server) == people(1, 2)
    assert states() == ["sent"] * 2 + ["pending"] * 4
    assert "2 emails, 0 failures, 4 returned to the queue" in told


def test_the_rest_of_a_campaign_that_a_person_cancels_is_cancelled(smtp_server, meanwhile):
    meanwhile(2, CAMPAIGN.format("cancelled"))
    send(6)
    cancel_leftovers()
    assert received(smtp_server) == people(1, 2)
    assert states() == ["sent"] * 2 + ["cancelled"] * 4


@pytest.mark.parametrize(
    "change",
    ["is_enabled = false", "pause_reason = 'Full'", "pause_reason = 'Full', paused_until = now() + '1 hour'"],
)
def test_an_account_that_is_stopped_sends_nothing_more_and_the_other_goes_on(smtp_server, meanwhile, change):
    meanwhile(3, ACCOUNT.format(change))
    send(6)
    assert received(smtp_server) == people(1, 2, 3, 4, 6)
    assert states() == ["sent"] * 4 + ["pending", "sent"]
    assert [message.login for message in smtp_server.received] == ["one", "two", "one", "two", "two"]


def test_a_batch_that_waited_for_its_worker_heeds_what_happened_meanwhile(smtp_server):
    queue(4)
    batch = claim()
    pause_account(SmtpAccount.objects.get(name="one").pk, "Because.")
    send_batch(batch.pk)
    assert received(smtp_server) == people(2, 4)


def test_a_campaign_paused_before_its_batch_began_sends_nothing(smtp_server):
    campaign = queue(4)
    batch = claim()
    actions.pause_campaign(campaign)
    send_batch(batch.pk)
    assert states() == ["pending"] * 4
    assert not smtp_server.received


def test_a_start_time_that_was_set_before_its_batch_began_holds(smtp_server):
    campaign = queue(4)
    batch = claim()
    Campaign.objects.filter(pk=campaign.pk).update(scheduled_at=AHEAD)
    send_batch(batch.pk)
    assert states() == ["pending"] * 4
    assert not smtp_server.received


def test_who_stops_it_while_its_letters_are_composed_stops_it(smtp_server, monkeypatch):
    queue(4)
    batch = claim()

    def compose_slowly(mails):
        Campaign.objects.update(status="paused")
        return compose(mails)

    monkeypatch.setattr(sender, "compose", compose_slowly)
    send_batch(batch.pk)
    assert states() == ["pending"] * 4
    assert not smtp_server.received


@pytest.mark.parametrize(
    ("stop", "sent"),
    [
        (CAMPAIGN.format("paused"), people(1, 2)),
        (SUPPRESS, people(1, 2, 4)),
        ("UPDATE accounts_smtpaccount SET daily_limit = 1", people(1, 2)),
    ],
)
def test_who_stops_it_while_a_mail_waits_to_be_recorded_stops_the_next(smtp_server, monkeypatch, stop, sent):
    """The statement that records it tells who was stopped as of its beginning, and may wait for a lock."""
    monkeypatch.setattr(sender, "LONG_WAIT", 0.2)
    queue(4)
    batch = claim()
    parameters = connection.get_connection_params() | {"cursor_factory": None}
    locked = threading.Event()

    def meanwhile():
        with (
            psycopg.connect(**parameters) as holder,
            psycopg.connect(**parameters, autocommit=True) as person,
        ):
            holder.execute("SELECT 1 FROM sending_batch WHERE id = %s FOR UPDATE", [batch.pk])
            locked.set()
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_for(lambda: person.execute(waits).fetchone(), timeout=20, what="the record to wait")
            person.execute(stop)
            time.sleep(0.3)  # longer than LONG_WAIT

    helper = threading.Thread(target=meanwhile)

    def script(phase, login, rcpt):
        if (phase, rcpt) == ("dot", "person2@example.com"):
            helper.start()
            locked.wait(20)

    smtp_server.script = script
    send_batch(batch.pk)
    helper.join()
    assert received(smtp_server) == sent


def test_one_campaign_that_is_paused_does_not_stop_another_in_the_same_batch(smtp_server, meanwhile):
    meanwhile(1, CAMPAIGN.format("paused") + " WHERE name = 'First'")
    queue(3, name="First")
    actions.queue_campaign(make_campaign(make_list(2, "others", "other"), name="Second"))
    send_batch(claim().pk)
    assert received(smtp_server) == people(1) + Counter(["other1@example.com", "other2@example.com"])
    assert SendLog.objects.count() == 3
    assert set(QueuedEmail.objects.filter(campaign__name="First").values_list("status", flat=True)) == {
        "sent",
        "pending",
    }


def test_the_fence_knows_an_account_that_may_not_send_as_the_dispatcher_does(smtp_server):
    ends = (None, timezone.now().replace(year=2020), AHEAD)
    for number, (enabled, reason, until) in enumerate(product((True, False), ("", "Full"), ends)):
        make_account(f"a{number}", is_enabled=enabled, pause_reason=reason, paused_until=until)
    everyone = set(SmtpAccount.objects.values_list("pk", flat=True))
    usable = set(SmtpAccount.objects.usable().values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, xmin::text FROM accounts_smtpaccount")
        stopped = ledger.stopped(ledger.Hold(1, None, 0, {}, dict(cursor.fetchall())))
    assert stopped.accounts == everyone - usable
    assert len(usable) == 4 + len(USERS)


def test_a_rest_does_not_shorten_a_pause_that_another_worker_found(smtp_server):
    for name, first, ends in (("one", None, None), ("two", AHEAD, AHEAD)):
        account = SmtpAccount.objects.get(name=name)
        pause_account(account.pk, "First.", first)
        pause_account(account.pk, "Second.", timedelta(minutes=5))
        account.refresh_from_db()
        assert (account.pause_reason, account.paused_until) == ("First.", ends)
        pause_account(account.pk, "Third.")
        account.refresh_from_db()
        assert (account.pause_reason, account.paused_until) == ("Third.", None)


def test_a_campaign_paused_changed_and_resumed_between_two_mails_goes_on_with_its_new_words(
    smtp_server, meanwhile
):
    meanwhile(2, "UPDATE campaigns_campaign SET text = 'Mended'")
    send(4)
    assert states() == ["sent"] * 2 + ["pending"] * 2
    send_next()
    assert [b"Mended" in message.raw for message in smtp_server.received] == [False, False, True, True]


def test_who_is_suppressed_while_a_batch_is_sent_gets_nothing_and_the_others_do(smtp_server, meanwhile):
    suppress = (
        "INSERT INTO sending_suppression (email, reason, source, at) VALUES ('{}', 'manual', '', now())"
    )
    meanwhile(
        2, ";".join(suppress.format(address) for address in ("person2@example.com", "Person3@Example.com"))
    )
    send(4)
    assert states() == ["sent", "sent", "pending", "sent"]
    claim()
    assert received(smtp_server) == people(1, 2, 4)
    assert states() == ["sent", "sent", "suppressed", "sent"]


def test_who_was_suppressed_before_the_batch_began_gets_nothing(smtp_server):
    queue(3)
    batch = claim()
    suppression.suppress("person1@example.com", "manual")
    send_batch(batch.pk)
    assert received(smtp_server) == people(2, 3)


def test_a_limit_that_is_lowered_while_a_batch_is_sent_holds_from_the_next_mail_on(smtp_server, meanwhile):
    meanwhile(3, ACCOUNT.format("daily_limit = 2"))
    send(8)
    assert Counter(message.login for message in smtp_server.received) == {"one": 2, "two": 4}
    send_next()
    assert Counter(message.login for message in smtp_server.received) == {"one": 2, "two": 6}
    assert states() == ["sent"] * 8


def test_a_limit_that_was_lowered_before_the_batch_began_holds(smtp_server):
    queue(8)
    batch = claim()
    SmtpAccount.objects.filter(name="one").update(daily_limit=3)
    send_batch(batch.pk)
    send_next()
    assert Counter(message.login for message in smtp_server.received) == {"two": 8}
    assert states() == ["sent"] * 8


def test_who_stops_a_campaign_in_a_long_pause_between_two_mails_stops_the_next_one(smtp_server, meanwhile):
    set_pace(delay=LONG_WAIT)
    campaign = queue(3)
    batch = claim()
    parameters = connection.get_connection_params() | {"cursor_factory": None}

    def pause_after_the_first() -> None:
        with psycopg.connect(**parameters, autocommit=True) as own:
            logged = "SELECT count(*) FROM sending_sendlog"
            wait_for(lambda: own.execute(logged).fetchone()[0] == 1)
            own.execute(CAMPAIGN.format("paused"))

    with ThreadPoolExecutor(1) as pool:
        paused = pool.submit(pause_after_the_first)
        send_batch(batch.pk)
        paused.result()
    campaign.refresh_from_db()
    assert campaign.status == "paused"
    assert states() == ["sent", "pending", "pending"]


def test_a_mail_that_goes_back_after_a_long_pause_leaves_the_next_one_its_lease(
    smtp_server, settings, monkeypatch
):
    """Two pauses in a row, without a mail between them, are longer than the lease."""
    settings.BATCH_LEASE = 1.5
    monkeypatch.setattr("sending.sender.LONG_WAIT", 0.2)
    set_pace(delay=2.5)
    queue(3)
    batch = claim()

    def work() -> None:
        send_batch(batch.pk)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(work)
        wait_for(lambda: SendLog.objects.exists())
        suppression.suppress("person2@example.com", "manual")
        recovered = 0
        while not sent.done():
            recovered += settle.recover()
        sent.result()
    assert recovered == 0
    assert states() == ["sent", "pending", "sent"]


def test_what_a_batch_has_is_cancelled_by_its_worker_alone(smtp_server):
    """Else a mail that goes out in this moment would count as cancelled."""
    campaign = queue(3)
    batch = claim()
    actions.cancel_campaign(campaign)
    assert states() == ["sending"] * 3
    send_batch(batch.pk)
    cancel_leftovers()
    assert states() == ["cancelled"] * 3
    assert not smtp_server.received


def test_a_batch_that_uses_a_limit_up_goes_out(smtp_server):
    SmtpAccount.objects.update(daily_limit=2)
    send(4)
    assert states() == ["sent"] * 4


@pytest.mark.parametrize(
    ("write", "sql"),
    [
        ("hand_back_campaign", CAMPAIGN.format("paused") + " WHERE name = 'First'"),
        (
            "hand_back_mails",
            "INSERT INTO sending_suppression (email, reason, source, at) "
            "VALUES ('person3@example.com', 'manual', '', now())",
        ),
    ],
)
def test_a_worker_that_froze_before_it_handed_back_begins_no_other_mail(
    smtp_server, meanwhile, monkeypatch, write, sql
):
    def freeze_past_the_lease(*args):
        Batch.objects.update(lease=LONG_AGO)
        settle.recover()
        return hand_back(*args)

    hand_back = getattr(settle, write)
    monkeypatch.setattr(settle, write, freeze_past_the_lease)
    meanwhile(1, sql)
    queue(3, name="First")
    actions.queue_campaign(make_campaign(make_list(2, "others", "other"), name="Second"))
    send_batch(claim().pk)
    assert received(smtp_server) == people(1)
