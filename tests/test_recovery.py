"""A batch settles from the ledger, whoever died; the fence keeps a late worker out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now

from campaigns import actions
from sending import capacity, ledger, replies, settle
from sending.dispatch import dispatch
from sending.ledger import Attempt, Hold
from sending.models import Batch, QueuedEmail, SendLog, Tally
from tests.cluster import wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = pytest.mark.django_db


@pytest.fixture
def hold():
    """A worker's hold on a batch of five mails."""
    set_pace(batch_size=5, retry_interval=300)
    make_account("a1", daily_limit=50)
    actions.queue_campaign(make_campaign(make_list(5)))
    dispatch()
    hold = Hold(Batch.objects.get().pk, uuid4(), lease=120)
    Batch.objects.update(started=Now(), token=hold.token)
    return hold


def mails():
    return list(QueuedEmail.objects.order_by("id"))


def log(hold, mail, verdict=replies.SENT):
    attempt = Attempt(mail.pk, 0, "dot", 250, "2.0.0", "OK", verdict, 0.1)
    attempt = Attempt(
        **{**attempt.__dict__, "account": QueuedEmail.objects.get(pk=mail.pk).account_id or mail.account_id}
    )
    return ledger.record(hold, attempt), attempt


def expire():
    Batch.objects.update(lease=Now() - timedelta(seconds=1))


def states():
    return [mail.status for mail in mails()]


def test_a_dead_workers_batch_settles_as_logged_with_one_uncertain_mail_and_the_rest_unharmed(hold):
    first, second, *_ = mails()
    log(hold, first)
    log(hold, second, replies.RECIPIENT_GONE)
    expire()
    assert settle.recover() == 1
    assert states() == ["sent", "failed", "uncertain", "pending", "pending"]
    assert [mail.attempts for mail in mails()] == [1, 1, 1, 0, 0]
    batch = Batch.objects.get()
    assert (batch.sent, batch.failed) == (1, 1)
    assert batch.finished is not None


def test_a_batch_that_was_never_started_goes_back_whole(hold):
    Batch.objects.update(started=None, token=None)
    expire()
    settle.recover()
    assert states() == ["pending"] * 5


def test_a_batch_within_its_lease_is_left_alone(hold):
    assert settle.recover() == 0
    assert states() == ["sending"] * 5


def test_each_ledger_row_renews_the_lease(hold):
    expire()
    assert log(hold, mails()[0])[0]
    assert settle.recover() == 0


def test_a_worker_that_lost_its_batch_writes_nothing_more(hold):
    expire()
    settle.recover()
    recorded, _ = log(hold, mails()[1])
    assert not recorded
    assert SendLog.objects.count() == 0
    assert settle.settle(hold.batch, hold.token) is None


def test_a_foreign_token_writes_nothing(hold):
    foreign = Hold(hold.batch, uuid4(), 120)
    assert not log(foreign, mails()[0])[0]
    assert SendLog.objects.count() == 0
    assert not settle.hand_back_account(foreign.batch, foreign.token, mails()[0].account_id)
    assert settle.settle(foreign.batch, foreign.token) is None
    assert not ledger.renew(foreign)
    assert states() == ["sending"] * 5


def test_the_late_truth_settles_the_one_uncertain_mail_and_nothing_else(hold):
    in_hand = mails()[0]
    expire()
    settle.recover()
    _, attempt = log(hold, in_hand)
    ledger.record_late_truth(hold, attempt)
    assert states() == ["sent"] + ["pending"] * 4
    assert mails()[0].attempts == 1


def test_the_late_truth_does_not_overwrite_what_a_person_decided(hold):
    from sending.actions import resolve_by_resending

    in_hand = mails()[0]
    expire()
    settle.recover()
    _, attempt = log(hold, in_hand)
    assert resolve_by_resending([in_hand.pk]) == 1
    ledger.record_late_truth(hold, attempt)
    assert states()[0] == "pending"


def test_the_same_ledger_row_twice_is_one_row(hold):
    """The answer to a commit got lost, and the worker asks again."""
    assert log(hold, mails()[0])[0]
    assert log(hold, mails()[0])[0]
    assert SendLog.objects.count() == 1


def test_an_orderly_end_leaves_nothing_uncertain(hold):
    log(hold, mails()[0])
    settled = settle.settle(hold.batch, hold.token)
    assert states() == ["sent"] + ["pending"] * 4
    assert (settled.sent, settled.failed) == (1, 0)


def test_mails_of_a_parked_account_go_back_but_for_those_logged(hold):
    log(hold, mails()[0], replies.TRY_LATER)
    account = mails()[1].account_id
    assert settle.hand_back_account(hold.batch, hold.token, account)
    assert states() == ["sending"] + ["pending"] * 4
    settle.settle(hold.batch, hold.token)
    assert states() == ["pending"] * 5
    assert [mail.attempts for mail in mails()] == [0] * 5


def test_a_lost_batch_gives_nothing_back(hold):
    expire()
    settle.recover()
    assert not settle.hand_back_account(hold.batch, hold.token, 1)
    assert not ledger.renew(hold)
    assert states() == ["uncertain"] + ["pending"] * 4


def test_a_mail_counts_once_against_its_account_before_and_after_it_is_settled(hold):
    account = mails()[0].account_id

    def used():
        return capacity.look([account])[account].used

    assert used() == 5  # claimed
    log(hold, mails()[0])
    log(hold, mails()[1], replies.RECIPIENT_LATER)
    log(hold, mails()[2], replies.UNCERTAIN)
    assert used() == 4  # one was refused: not accepted
    settle.settle(hold.batch, hold.token)
    assert used() == 2  # sent and uncertain; two went back
    settle_uncertain_by_resending = [mail.pk for mail in mails() if mail.status == "uncertain"]
    from sending.actions import resolve_by_resending

    resolve_by_resending(settle_uncertain_by_resending)
    assert used() == 2  # it may have been accepted


def test_an_uncertain_mail_without_a_ledger_row_counts_and_keeps_counting_once_resolved(hold):
    from sending.actions import resolve_as_sent

    account = mails()[0].account_id
    expire()
    settle.recover()
    assert capacity.look([account])[account].used == 1
    uncertain = QueuedEmail.objects.get(status="uncertain")
    resolve_as_sent([uncertain.pk])
    assert capacity.look([account])[account].used == 1
    assert SendLog.objects.get().phase == "resolution"


def test_the_tally_equals_the_queue_before_and_after_it_is_added_up(hold):
    from collections import Counter

    def tally():
        counts = Counter()
        for row in Tally.objects.all():
            counts[row.campaign_id, row.account_id, row.status] += row.count
        return {key: n for key, n in counts.items() if n}

    def counted():
        return dict(Counter(QueuedEmail.objects.values_list("campaign", "account", "status")))

    log(hold, mails()[0])
    settle.settle(hold.batch, hold.token)
    assert tally() == counted()
    settle.compact_tally()
    assert tally() == counted()
    assert Tally.objects.count() == len(counted())
    SendLog.objects.all().delete()
    QueuedEmail.objects.all().delete()
    assert tally() == {}


def test_a_late_truth_is_dated_when_the_mail_can_have_been_handed_over_at_the_latest(hold):
    """A worker that froze for hours says so late, but can't have sent late: the limits look at the date."""
    in_hand = mails()[0]
    expire()
    settle.recover()
    _, attempt = log(hold, in_hand)
    Batch.objects.update(finished=Now() - timedelta(hours=3))
    ledger.record_late_truth(hold, attempt)
    batch, row = Batch.objects.get(), SendLog.objects.get()
    assert row.at == batch.finished + timedelta(minutes=2)
    assert states()[0] == "sent"


def test_the_late_truth_counts_the_attempt_that_became_uncertain_once(hold):
    """A mail that may be retried once more is retried, not failed."""
    set_pace(batch_size=5, retry_interval=300, max_retries=3)
    in_hand = mails()[0]
    QueuedEmail.objects.filter(pk=in_hand.pk).update(attempts=2)
    expire()
    settle.recover()
    assert (states()[0], mails()[0].attempts) == ("uncertain", 3)
    _, attempt = log(hold, in_hand, replies.RECIPIENT_LATER)
    ledger.record_late_truth(hold, attempt)
    assert (states()[0], mails()[0].attempts) == ("retry", 3)


@pytest.mark.django_db(transaction=True)
def test_a_hand_back_waits_for_a_recovery_at_work_and_heeds_it(hold):
    """By a plain look at the batch the worker would believe that it is its own, and send on."""
    account = mails()[0].account_id

    def hand_back():
        try:
            return settle.hand_back_account(hold.batch, hold.token, account)
        finally:
            connection.close()

    def is_waiting():
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%returned%'"
        return done.done() or look.execute(waiting).fetchone()

    parameters = connection.get_connection_params() | {"cursor_factory": None}
    with (
        psycopg.connect(**parameters) as own,
        psycopg.connect(**parameters, autocommit=True) as look,
        ThreadPoolExecutor(1) as pool,
    ):
        own.execute("UPDATE sending_batch SET finished = now()")
        done = pool.submit(hand_back)
        wait_for(is_waiting)
        own.commit()
        assert done.result() is False


def test_a_batch_that_cant_be_settled_keeps_no_other_waiting(hold, caplog):
    other = Batch.objects.get()
    other.pk, other.token = None, uuid4()
    other.save(force_insert=True)
    QueuedEmail.objects.filter(pk=mails()[-1].pk).update(batch=other)
    expire()
    Batch.objects.filter(pk=hold.batch).update(lease=Now() - timedelta(hours=1))  # its turn comes first
    refuse_to_finish(hold.batch)
    assert settle.recover() == 1
    assert Batch.objects.get(finished=None).pk == hold.batch
    actions.queue_campaign(make_campaign(make_list(1, "next", "next"), name="Next"))
    long_ago = Now() - timedelta(hours=1)
    Batch.objects.update(created=long_ago, started=long_ago)
    for scope in ("all", "account"):
        set_pace(batch_size=1, scope=scope)
        assert dispatch().mails == 1
        QueuedEmail.objects.filter(campaign__name="Next").update(
            status="pending", batch=None, account=None, position=None
        )
        Batch.objects.exclude(pk=hold.batch).update(created=long_ago, finished=long_ago)
    assert f"Batch {hold.batch} can't be settled" in caplog.text


def refuse_to_finish(batch):
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE OF finished ON sending_batch FOR EACH ROW "
            f"WHEN (OLD.id = {batch}) EXECUTE FUNCTION refuse()"
        )
