"""queue_status: exact counts, states of campaigns and accounts, whether sending is alive."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.words import moment
from sending import health
from sending.capacity import handed_over_since
from sending.models import Batch, Heartbeat, QueuedEmail
from sending.reports import as_text
from sending.status import queue_status
from tests.factories import make_account, make_campaign, set_pace
from tests.queue_rows import beat, make_queue, make_sent, queued

pytestmark = pytest.mark.django_db


def test_an_empty_installation_has_every_figure_at_nought():
    assert queue_status() == {
        **dict.fromkeys(QueuedEmail.Status.values, 0),
        "campaigns": [],
        "accounts": [],
        "alive": False,
        "failing": False,
        "stuck": False,
        "waiting": "",
    }


def test_counts_are_exact_in_all_and_per_campaign_and_per_account():
    account, one, two = make_account(), queued("One"), queued("Two")
    expected = {
        "pending": 4, "sending": 1, "retry": 2, "uncertain": 1,
        "sent": 5, "failed": 3, "cancelled": 2, "suppressed": 1,
    }  # fmt: skip
    for state, count in expected.items():
        make_queue(one, state, count, None if state == "pending" else account)
    make_queue(two, "pending", 7)

    status = queue_status()

    first, second = status["campaigns"]
    assert {state: first[state] for state in expected} == expected
    assert {state: second[state] for state in expected} == {**dict.fromkeys(expected, 0), "pending": 7}
    assert {state: status[state] for state in expected} == {**expected, "pending": 11}
    assert {state: status["accounts"][0][state] for state in expected} == {**expected, "pending": 0}


def test_counts_follow_every_move():
    campaign = queued()
    mail = make_queue(campaign)[0]
    QueuedEmail.objects.filter(pk=mail.pk).update(status="cancelled", finished_at=Now())
    status = queue_status()
    assert (status["pending"], status["cancelled"]) == (0, 1)


def test_the_number_of_queries_does_not_grow_with_campaigns_and_accounts():
    def cost() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            queue_status()
        return len(queries)

    def make(number: int) -> None:
        account = make_account(f"a{number}")
        campaign = queued(f"C{number}")
        campaign.accounts.set([account])
        make_queue(campaign, "pending", 2)
        make_queue(campaign, "retry", 1, account)

    make(0)
    few = cost()
    for number in range(1, 8):
        make(number)
    assert cost() == few <= 10


def test_a_campaign_is_finished_when_none_of_its_mails_can_move():
    campaign = queued()
    make_queue(campaign, "sent", 2)
    assert queue_status()["campaigns"][0]["status"] == "finished"
    make_queue(campaign, "uncertain", 1, make_account())
    assert queue_status()["campaigns"][0]["status"] == "sending"


def test_campaigns_stand_in_the_order_of_sending_and_drafts_come_last():
    make_campaign(name="Draft")
    queued("Later", queued_at=timezone.now())
    queued("Earlier", queued_at=timezone.now() - timedelta(hours=1))
    assert [c["name"] for c in queue_status()["campaigns"]] == ["Earlier", "Later", "Draft"]


def test_a_later_campaign_says_that_an_earlier_one_goes_first():
    make_account()
    beat()
    for name in ("One", "Two"):
        make_queue(queued(name), "pending", 3)
    one, two = queue_status()["campaigns"]
    assert one["waiting"] == "3 waiting: batches of up to 10 go out every 30 s"
    assert two["waiting"] == "3 waiting: 1 campaign queued earlier goes first"


def test_a_campaign_whose_own_accounts_are_used_up_does_not_hold_back_the_next():
    small, _ = make_account("small", daily_limit=1), make_account("big")
    beat()
    one, two = queued("One"), queued("Two")
    one.accounts.set([small])
    make_sent(one, small, 1)
    make_queue(one, "pending", 3)
    make_queue(two, "pending", 3)
    first, second = queue_status()["campaigns"]
    assert "1 account has used its 24 h limit" in first["waiting"]
    assert "queued earlier" not in second["waiting"]


def test_an_account_counts_what_it_handed_over_in_the_last_24_hours():
    account = make_account(daily_limit=3)
    campaign = queued()
    make_sent(campaign, account, 1, timedelta(hours=25))
    make_sent(campaign, account, 1, timedelta(hours=20))
    make_queue(campaign, "sending", 1, account)

    told = queue_status()["accounts"][0]

    assert (told["used"], told["limit"], told["left"], told["state"]) == (2, 3, 1, "ready")
    newest_free = timezone.now() + timedelta(hours=4)
    assert abs(told["next_free_at"] - newest_free) < timedelta(minutes=1)


def test_a_used_up_account_is_full_and_the_queue_says_when_it_frees():
    account = make_account(daily_limit=2)
    campaign = queued()
    beat()
    make_sent(campaign, account, 2, timedelta(hours=1))
    make_queue(campaign, "pending", 3)
    status = queue_status()
    frees = timezone.localtime(status["accounts"][0]["next_free_at"])
    assert status["accounts"][0]["state"] == "full"
    assert status["waiting"].startswith("3 waiting: 1 account has used its 24 h limit (next frees ")
    assert f"{frees:%H:%M}" in status["waiting"]


def test_an_account_is_paused_only_until_its_pause_ends():
    hour = timedelta(hours=1)
    make_account("a", pause_reason="Full", paused_until=timezone.now() + hour)
    make_account("b", pause_reason="Full", paused_until=timezone.now() - hour)
    make_account("c", pause_reason="Wrong password")
    make_account("d", pause_reason="Wrong password", is_enabled=False)
    accounts = queue_status()["accounts"]
    assert [a["state"] for a in accounts] == ["paused", "ready", "paused", "disabled"]
    assert [bool(a["pause_reason"]) for a in accounts] == [True, False, True, False]


@pytest.mark.parametrize(
    ("age", "outcome", "alive"),
    [(10, "10 mails dispatched", True), (100, "10 mails dispatched", False), (10, "failed: KeyError", False)],
)
def test_alive_means_a_fresh_beat_of_the_dispatcher_that_did_not_fail(age, outcome, alive):
    beat(timedelta(seconds=age), outcome)
    assert queue_status()["alive"] is alive


def test_beats_of_other_jobs_do_not_prove_that_sending_is_alive():
    Heartbeat.objects.create(job="recover", at=Now(), host="mail-1", duration=0, outcome="ok")
    assert queue_status()["alive"] is False


def test_sent_today_starts_at_midnight_of_the_servers_time_zone(settings):
    local_hour = timezone.localtime().hour
    settings.TIME_ZONE = "UTC" if local_hour else "Etc/GMT-3"  # never within an hour after midnight
    campaign, account = queued(), make_account()
    now = timezone.localtime(timezone=timezone.get_default_timezone())
    since_midnight = timedelta(hours=now.hour, minutes=now.minute, seconds=now.second)
    make_sent(campaign, account, 1, since_midnight - timedelta(seconds=30))
    make_sent(campaign, account, 1, since_midnight + timedelta(seconds=30))
    make_queue(campaign, "failed", 1, account)
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    assert handed_over_since(midnight) == 1


def test_the_sentence_speaks_only_of_accounts_that_the_waiting_mail_may_use():
    beat()
    own, _other = make_account("own", daily_limit=1), make_account("other")
    campaign = queued()
    campaign.accounts.set([own])
    make_sent(campaign, own, 1)
    make_queue(campaign, count=3)
    status = queue_status()
    assert status["waiting"] == status["campaigns"][0]["waiting"]
    assert "goes on" not in status["waiting"]


def test_no_campaign_waits_for_an_earlier_one_where_each_account_has_its_own_batches():
    beat()
    ones, twos = queued("One"), queued("Two")
    for number, campaign in enumerate((ones, twos)):
        campaign.accounts.set([make_account(f"a{number}")])
        make_queue(campaign, count=30)
    set_pace(batch_interval=30, scope="all")
    assert queue_status()["campaigns"][1]["waiting"] == "30 waiting: 1 campaign queued earlier goes first"
    set_pace(batch_interval=30, scope="account")
    second = queue_status()["campaigns"][1]
    assert second["waiting"] == "30 waiting: batches of up to 10 go out every 30 s"
    twos.accounts.set(ones.accounts.all())
    assert "queued earlier goes first" in queue_status()["campaigns"][1]["waiting"]


def test_the_whole_promises_no_batches_where_all_that_may_go_out_waits_for_a_retry():
    beat()
    make_account()
    make_queue(queued("Held", status="paused"), count=4)
    make_queue(queued("Moves"), "retry", 1, make_account("b"))
    waiting = queue_status()["waiting"]
    assert waiting.startswith("5 waiting: 1 campaign is paused, 1 waits for a retry ")


def test_no_account_goes_on_for_mail_that_may_not_use_it():
    beat()
    own, other = make_account("own", daily_limit=1), make_account("other")
    bound, free = queued("Bound"), queued("Free")
    bound.accounts.set([own])
    make_sent(bound, own, 1)
    make_queue(bound, count=3)
    make_queue(free, "retry", 1, other)
    assert "goes on" not in queue_status()["waiting"]


def test_a_campaign_whose_own_accounts_are_disabled_is_told_of_beside_others():
    beat()
    off, _on = make_account("off", is_enabled=False), make_account("on")
    bound, free = queued("Bound"), queued("Free")
    bound.accounts.set([off])
    make_queue(bound, count=3)
    make_queue(free, count=2)
    assert queue_status()["waiting"] == (
        "5 waiting: 1 campaign has no account that is enabled, 1 account goes on"
    )


def test_an_account_that_rests_with_its_limit_used_up_goes_on_when_both_are_over():
    beat()
    rest = timezone.now() + timedelta(minutes=5)
    account = make_account(daily_limit=1, pause_reason="Busy.", paused_until=rest)
    campaign = queued()
    make_sent(campaign, account, 1, timedelta(hours=2))
    make_queue(campaign, count=3)
    status = queue_status()
    told = status["accounts"][0]
    assert told["goes_on_at"] == told["next_free_at"] > rest
    assert f"(Busy; goes on {moment(told['next_free_at'])}" in status["waiting"]


def test_sending_that_fails_is_not_said_to_be_stopped():
    beat(outcome="failed: KeyError")
    make_account()
    make_queue(queued(), count=3)
    assert queue_status()["waiting"] == "3 waiting: sending fails: the log on the server says more"


def test_a_batch_that_takes_long_is_told_where_the_next_one_waits_for_it(settings):
    settings.BATCH_LEASE = 180
    beat()
    set_pace()
    campaign, account = queued(), make_account()
    make_queue(campaign, count=1)
    make_queue(campaign, "sending", 1, account)
    told = "the batch in hand takes long: its server is slow, or its worker died"
    for heard_ago, is_told in ((5, False), (15, True)):
        lease = timezone.now() + timedelta(seconds=180 - heard_ago)
        Batch.objects.update(started=Now(), token=uuid4(), lease=lease)
        assert (told in queue_status()["waiting"]) is is_told
    set_pace(scope="account")
    assert told not in queue_status()["waiting"]


def test_a_worker_that_has_gone_silent_is_told_while_everything_waits_for_its_batch(settings):
    make_queue(queued(), "sending", 1, make_account())
    make_queue(queued("Next"), "pending", 1)
    beat()
    lease = timedelta(seconds=settings.BATCH_LEASE)
    Batch.objects.update(started=Now(), token=uuid4(), finished=None, lease=Now() + lease)
    assert queue_status()["waiting"].startswith("1 waiting: batches of up to")
    Batch.objects.update(lease=Now() + lease / 2)
    assert queue_status()["waiting"].startswith("1 waiting: 1 batch is silent (if its worker died,")
    set_pace(scope="account")
    assert "batches of up to" in queue_status()["waiting"]


class TestMailThatIsInABatch:
    """Of which nothing else is left: told where it may lie still, and of its own campaign alone."""

    @pytest.fixture
    def campaigns(self):
        account = make_account()
        campaigns = queued("Silent"), queued("Busy")
        for campaign, ends_in in zip(campaigns, (1, 1000), strict=True):
            for mail in make_queue(campaign, "sending", 2, account):
                lease = timezone.now() + timedelta(seconds=ends_in)
                Batch.objects.filter(pk=mail.batch_id).update(started=Now(), token="0" * 32, lease=lease)
        return campaigns

    def test_its_worker_is_silent(self, campaigns):
        beat()
        silent, busy = queue_status()["campaigns"]
        assert silent["waiting"].startswith(
            "2 being sent: 1 batch is silent (if its worker died, it is settled"
        )
        assert busy["waiting"] == ""

    def test_sending_is_not_running(self, campaigns):
        status = queue_status()
        told = "sending is not running: it has to be started on the server"
        assert status["waiting"] == f"4 being sent: {told}"
        assert [one["waiting"] for one in status["campaigns"]] == [f"2 being sent: {told}"] * 2


@pytest.mark.parametrize(
    ("outcome", "is_stuck", "lead"),
    [
        ("10 mails dispatched", False, "Sending is running."),
        ("failed: KeyError", False, "Sending fails: "),
        ("10 mails dispatched", True, "Sending is stuck: "),
        (None, False, "Sending is not running: "),
    ],
)
def test_the_first_line_says_what_the_sentence_says(outcome, is_stuck, lead, monkeypatch):
    if outcome:
        beat(outcome=outcome)
    if is_stuck:
        Heartbeat.objects.create(job="stuck", host="", at=Now() - timedelta(minutes=2), duration=0)
        assert queue_status()["stuck"] is False  # it was, and moves again
        monkeypatch.setattr(health, "is_stuck", lambda now: True)
    assert as_text(queue_status()).startswith(lead)
