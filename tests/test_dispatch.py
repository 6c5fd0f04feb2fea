from datetime import timedelta

import pytest
from django.db.models.functions import Now

from campaigns import actions
from sending.dispatch import MOST_LOOKS, POLL, dispatch
from sending.models import Batch, QueuedEmail, SendLog, Suppression
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def pace():
    return set_pace()


def queue(*lists, **fields):
    campaign = make_campaign(*lists, **fields)
    actions.queue_campaign(campaign)
    return campaign


def claimed():
    return QueuedEmail.objects.filter(status="sending").order_by("batch", "position")


def finish_batches(ago=timedelta(hours=1)):
    """As if all batches were over, and long ago."""
    Batch.objects.update(finished=Now() - ago, created=Now() - ago)


def test_a_batch_is_at_most_ten_mails_in_queue_order_on_accounts_that_take_turns():
    accounts = [make_account(f"a{n}") for n in range(3)]
    queue(make_list(25))
    assert dispatch().mails == 10
    mails = list(claimed())
    assert [mail.email for mail in mails] == [f"person{n}@example.com" for n in range(1, 11)]
    assert [mail.account_id for mail in mails[:6]] == [a.pk for a in accounts] * 2
    assert [mail.position for mail in mails] == list(range(10))


def test_message_id_and_date_are_fixed_by_the_first_claim():
    make_account("office")
    queue(make_list(1))
    dispatch()
    mail = claimed().get()
    assert mail.message_id.startswith("<")
    assert mail.message_id.endswith("@sender.example>")
    QueuedEmail.objects.update(status="pending", account=None, batch=None, position=None)
    QueuedEmail.objects.update(dated_at=Now() - timedelta(hours=1))  # that long ago
    mail.refresh_from_db()
    before = (mail.message_id, mail.dated_at)
    finish_batches()
    dispatch()
    mail.refresh_from_db()
    assert (mail.message_id, mail.dated_at) == before


def test_a_message_id_is_ascii_whatever_the_accounts_domain():
    make_account("office", email="office@münchen.example")
    queue(make_list(1))
    dispatch()
    assert claimed().get().message_id.endswith("@xn--mnchen-3ya.example>")


def test_no_account_is_claimed_for_beyond_its_limit_and_the_rest_waits():
    make_account("a1", daily_limit=2)
    make_account("a2", daily_limit=3)
    queue(make_list(25))
    assert dispatch().mails == 5
    finish_batches()
    assert dispatch().mails == 0
    assert QueuedEmail.objects.filter(status="pending").count() == 20


def test_mails_of_the_last_24_hours_count_against_the_limit_and_older_ones_do_not():
    account = make_account("a1", daily_limit=3)
    queue(make_list(9))
    rows = QueuedEmail.objects.order_by("id")[:2]
    for mail, hours in zip(rows, (23, 25), strict=True):
        SendLog.objects.create(
            queued_email=mail, account=account, phase="dot", outcome="sent", duration=1,
            at=Now() - timedelta(hours=hours),
        )  # fmt: skip
    assert dispatch().mails == 2


def test_campaigns_send_in_the_order_in_which_they_were_queued():
    make_account("a1")
    second = make_campaign(make_list(6, "l2", "second"), name="second")
    first = make_campaign(make_list(6, "l1", "first"), name="first")
    actions.queue_campaign(first)
    actions.queue_campaign(second)
    dispatch()
    assert list(claimed().values_list("campaign__name", flat=True)) == ["first"] * 6 + ["second"] * 4


def test_a_campaign_whose_own_accounts_are_used_up_does_not_hold_back_the_others():
    tiny, other = make_account("tiny", daily_limit=1), make_account("other")
    bound = make_campaign(make_list(5, "l1", "bound"), name="bound")
    bound.accounts.set([tiny])
    actions.queue_campaign(bound)
    queue(make_list(5, "l2", "free"), name="free")
    assert dispatch().mails == 6
    assert set(claimed().filter(campaign__name="free").values_list("account", flat=True)) == {other.pk}


@pytest.mark.parametrize("away", [{"is_enabled": False}, {"pause_reason": "needs a new app password"}])
def test_a_disabled_or_paused_account_gets_nothing(away):
    make_account("a1", **away)
    queue(make_list(2))
    assert dispatch().mails == 0


def test_an_account_whose_pause_is_over_sends_again():
    make_account("a1", pause_reason="rests", paused_until=Now() - timedelta(seconds=1))
    queue(make_list(2))
    assert dispatch().mails == 2


def test_a_paused_campaign_and_one_scheduled_for_later_get_nothing():
    make_account("a1")
    actions.pause_campaign(queue(make_list(2, "l1", "p"), name="paused"))
    queue(make_list(2, "l2", "s"), name="later", scheduled_at=Now() + timedelta(hours=1))
    assert dispatch().mails == 0


def test_an_address_suppressed_since_it_was_queued_gets_nothing():
    make_account("a1")
    queue(make_list(3))
    Suppression.objects.create(email="PERSON2@example.com")
    assert dispatch().mails == 2
    assert QueuedEmail.objects.get(email="person2@example.com").status == "suppressed"


def test_many_suppressed_addresses_do_not_let_a_later_campaign_go_first():
    make_account("a1")
    first = queue(make_list(700, "l1", "first"), name="first")
    queue(make_list(20, "l2", "second"), name="second")
    Suppression.objects.bulk_create(Suppression(email=f"first{n}@example.com") for n in range(1, 691))
    assert dispatch().mails == 10
    assert set(claimed().values_list("campaign", flat=True)) == {first.pk}


def test_a_dispatch_looks_past_so_many_suppressed_mails_and_the_next_one_goes_on_at_once(monkeypatch):
    """All accounts are locked meanwhile: it must not take as long as the queue is."""
    monkeypatch.setattr("sending.dispatch.LOOK_AHEAD", 20)
    make_account("a1")
    first = queue(make_list(300, "l1", "first"), name="first")
    queue(make_list(20, "l2", "second"), name="second")
    # All but the first and the last ones: the first waits for them, or a batch of one would go out.
    Suppression.objects.bulk_create(Suppression(email=f"first{n}@example.com") for n in range(2, 292))
    looked = dispatch()
    assert (looked.mails, looked.next_in) == (0, POLL)
    assert QueuedEmail.objects.filter(status="suppressed").count() == 9 + MOST_LOOKS * 20
    assert dispatch().mails == 10
    assert set(claimed().values_list("campaign", flat=True)) == {first.pk}


def test_the_interval_counts_from_when_the_last_batch_was_started():
    make_account("a1")
    set_pace(batch_interval=30)
    queue(make_list(30))
    dispatch()
    Batch.objects.update(
        created=Now() - timedelta(seconds=40), started=Now() - timedelta(seconds=10),
        finished=Now(), token="00000000-0000-0000-0000-000000000000",
    )  # fmt: skip
    assert dispatch().mails == 0


def test_a_change_of_scope_does_not_cut_the_interval_short():
    make_account("a1")
    set_pace(batch_interval=30)
    queue(make_list(30))
    dispatch()
    Batch.objects.update(finished=Now())
    set_pace(batch_interval=30, scope="account")
    assert dispatch().mails == 0


def test_the_next_batch_waits_for_its_interval_and_for_the_batch_at_work():
    make_account("a1")
    set_pace(batch_interval=30)
    queue(make_list(30))
    assert dispatch().mails == 10
    assert dispatch().mails == 0  # the first is at work
    Batch.objects.update(finished=Now())
    waiting = dispatch()
    assert waiting.mails == 0
    assert 0 < waiting.next_in <= 30
    finish_batches(ago=timedelta(seconds=31))
    assert dispatch().mails == 10


def test_for_each_account_every_account_has_batches_and_a_pace_of_its_own():
    accounts = [make_account(f"a{n}") for n in range(2)]
    set_pace(scope="account", batch_size=4, batch_interval=30)
    queue(make_list(30))
    dispatched = dispatch()
    assert (dispatched.batches, dispatched.mails) == (2, 8)
    assert set(Batch.objects.values_list("account", "size")) == {(a.pk, 4) for a in accounts}
    Batch.objects.filter(account=accounts[0]).update(finished=Now(), created=Now() - timedelta(seconds=31))
    set_pace(scope="account", batch_size=4, batch_interval=30, delay=0)
    assert dispatch().mails == 4
    assert Batch.objects.filter(account=accounts[0]).count() == 2


def test_the_wake_up_of_a_worker_is_queued_with_the_claim():
    from django_q.models import OrmQ

    make_account("a1")
    queue(make_list(1))
    OrmQ.objects.all().delete()
    dispatch()
    assert [task.func() for task in OrmQ.objects.all()] == ["sending.jobs.send_batch"]


def test_an_empty_queue_is_not_looked_at_again_before_the_next_tick():
    make_account("a1")
    assert dispatch().next_in is None


def test_several_campaigns_in_one_batch_share_what_an_account_has_left():
    small = make_account("small", daily_limit=1)
    make_account("other")
    for name in ("first", "second"):
        campaign = make_campaign(make_list(2, name, name), name=name)
        campaign.accounts.set([small])
        actions.queue_campaign(campaign)
    assert dispatch().mails == 1
