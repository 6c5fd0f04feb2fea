"""Queueing many recipients is a worker's: the same result, all or nothing, once, and a person may cancel."""

from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from django.test import Client

from campaigns import actions
from campaigns.models import Campaign, ContactList, Queueing
from sending.longwork import running
from sending.models import QueuedEmail, Suppression
from sending.status import queue_status
from tests.factories import make_account, make_campaign, make_list, make_user
from tests.long_work import begin_three_times, claim, lapse
from tests.staff import log_in, page

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def few_at_once(settings):
    settings.QUEUE_AT_ONCE = 3


def mails(campaign: Campaign) -> list[tuple]:
    fields = ("email", "contact_id", "status", "attempts", "message_id", "account_id")
    return list(QueuedEmail.objects.filter(campaign=campaign).order_by("id").values_list(*fields))


def asked_for(count: int = 5, user=None, **fields) -> Campaign:
    campaign = make_campaign(make_list(count), **fields)
    told = actions.send_campaign(campaign, user)
    assert told == f"Queueing {count} emails: see the campaign’s page"
    return campaign


def again(campaign: Campaign) -> Campaign:
    return Campaign.objects.get(pk=campaign.pk)


def test_up_to_the_limit_it_is_done_at_once():
    campaign = make_campaign(make_list(3))
    assert actions.send_campaign(campaign) == "Queued 3 emails for sending"
    assert not Queueing.objects.exists()


def test_above_it_nothing_is_queued_before_a_worker_has_done_it():
    campaign = asked_for()
    assert (again(campaign).status, mails(campaign)) == ("queueing", [])
    (status,) = queue_status()["campaigns"]
    assert (status["status"], status["pending"]) == ("queueing", 0)


@pytest.mark.parametrize("step", [1, 2, 100])
def test_a_worker_queues_the_same_as_is_queued_at_once(settings, monkeypatch, step):
    monkeypatch.setattr("campaigns.queueing.STEP", step)
    first, second = make_list(4, "first"), make_list(3, "second", prefix="guest")
    second.contacts.add(*first.contacts.all()[:2])
    Suppression.objects.create(email="PERSON3@Example.com")
    by_worker, at_once = make_campaign(first, second, name="a"), make_campaign(first, second, name="b")
    actions.queue_campaign(at_once)

    assert actions.send_campaign(by_worker) == "Queueing 6 emails: see the campaign’s page"
    assert running.run_next().state == "done"

    assert mails(by_worker) == mails(at_once)
    assert len(mails(by_worker)) == 6
    assert again(by_worker).status == again(at_once).status == "sending"


def test_its_place_in_the_order_is_that_of_the_moment_it_was_asked_for():
    early = asked_for()
    late = make_campaign(ContactList.objects.get(), name="Late")
    late.lists.set([make_list(1, "one", prefix="one")])
    actions.send_campaign(late)

    running.run_next()

    assert again(early).queued_at == Queueing.objects.get().created_at
    assert [one["name"] for one in queue_status()["campaigns"]] == ["News", "Late"]


def test_history_tells_who_asked_for_it_and_what_came_of_it():
    campaign = make_campaign(make_list(5))
    data = {"action": "send", "_selected_action": [campaign.pk]}
    response = log_in("Sender").post(page("campaigns_campaign_changelist"), data, follow=True)
    assert "Queueing 5 emails: see the campaign’s page" in response.content.decode()

    running.run_next()

    rows = LogEntry.objects.order_by("id").select_related("user")
    assert [(row.user.username, row.get_change_message()) for row in rows] == [
        ("user", "Queueing 5 emails: see the campaign’s page"),
        ("user", "Queued 5 emails for sending"),
    ]
    assert again(campaign).queued_by.username == "user"


def test_the_command_says_the_same():
    make_campaign(make_list(5))
    out = StringIO()
    call_command("send_campaign", "News", stdout=out)
    assert out.getvalue().strip() == "Queueing 5 emails: see the campaign’s page"
    with pytest.raises(CommandError, match="is being queued: see its page"):
        call_command("send_campaign", "News")


def test_sent_twice_it_queues_nobody_twice():
    campaign = asked_for()
    for send in (actions.send_campaign, actions.queue_campaign):
        with pytest.raises(actions.Refused, match="is being queued: see its page"):
            send(campaign)
    running.run_next()
    assert actions.send_campaign(campaign).startswith("Queued 0 emails")
    assert len(mails(campaign)) == 5


def test_who_joins_later_is_queued_by_a_worker_too_in_the_old_place():
    campaign = asked_for()
    running.run_next()
    queued_at = again(campaign).queued_at
    campaign.lists.add(make_list(6, "late", prefix="late"))

    assert actions.send_campaign(campaign) == "Queueing 6 emails: see the campaign’s page"
    assert again(campaign).status == "sending"
    running.run_next()

    assert len(mails(campaign)) == 11
    assert again(campaign).queued_at == queued_at


def test_cancelled_before_a_worker_came_to_it_it_is_a_draft_again():
    campaign = asked_for()
    count = actions.cancel_campaign(campaign)
    told = actions.told_cancelled(campaign, count)
    assert told == "Stopped queueing “News”: nobody was queued, and it is a draft again"
    assert running.run_next() is None
    assert (again(campaign).status, mails(campaign)) == ("draft", [])
    assert actions.send_campaign(campaign).startswith("Queueing 5")


def test_cancelled_while_a_worker_is_at_it_nobody_is_queued():
    campaign = asked_for()
    kind, work = claim()
    actions.cancel_campaign(campaign)
    with pytest.raises(running.Interrupted):
        running._work(kind, work)
    assert (again(campaign).status, mails(campaign)) == ("draft", [])


def test_cancelled_while_more_are_queued_it_is_cancelled_for_good():
    campaign = asked_for()
    running.run_next()
    campaign.lists.add(make_list(6, "late", prefix="late"))
    actions.send_campaign(campaign)
    kind, work = claim()

    assert actions.cancel_campaign(campaign) == 5

    with pytest.raises(running.Interrupted):
        running._work(kind, work)
    assert again(campaign).status == "cancelled"
    assert [mail[2] for mail in mails(campaign)] == ["cancelled"] * 5


def more_are_queued() -> Campaign:
    """A campaign that is being sent, to five, while a worker is to queue six more."""
    campaign = asked_for()
    running.run_next()
    campaign.lists.add(make_list(6, "late", prefix="late"))
    actions.send_campaign(campaign)
    return campaign


@pytest.mark.parametrize("is_begun", [True, False])
def test_stopped_while_more_are_queued_it_goes_on_with_those_that_were(is_begun):
    campaign = more_are_queued()
    kind, work = claim() if is_begun else (None, None)

    actions.stop_queueing(campaign)

    if is_begun:
        with pytest.raises(running.Interrupted):
            running._work(kind, work)
    assert actions.told_stopped(campaign) == "Stopped queueing “News”: nobody more was queued"
    assert [mail[2] for mail in mails(campaign)] == ["pending"] * 5
    assert again(campaign).status == "sending"
    assert running.run_next() is None
    assert actions.send_campaign(campaign).startswith("Queueing 6")  # and it may be asked for anew


def test_stopped_too_late_it_is_refused_and_everybody_is_queued():
    campaign = more_are_queued()
    running.run_next()
    with pytest.raises(actions.Refused, match="not being queued"):
        actions.stop_queueing(campaign)
    assert (again(campaign).status, len(mails(campaign))) == ("sending", 11)


@pytest.mark.parametrize(
    ("where", "pressed"),
    [
        ("campaigns_campaign_act", {"act": "stop"}),
        ("campaigns_campaign_change", {"_act:stop": "Stop queueing"}),
    ],
)
def test_stopped_by_the_button_of_a_page_the_history_says_who(where, pressed):
    campaign = more_are_queued()
    sender, viewer = log_in("Sender"), Client()
    viewer.force_login(make_user("Viewer", name="vera"))
    for name in ("campaigns_campaign_progress", "campaigns_campaign_change"):
        assert "Stop queueing" in sender.get(page(name, campaign.pk)).content.decode()
        assert "Stop queueing" not in viewer.get(page(name, campaign.pk)).content.decode()
    url = page(where, campaign.pk)
    sender.get(url, pressed)
    assert viewer.post(url, pressed).status_code == 403
    assert Queueing.objects.latest("id").is_in_work

    sender.post(url, pressed)

    assert (again(campaign).status, len(mails(campaign))) == ("sending", 5)
    assert not Queueing.objects.latest("id").is_in_work
    entry = LogEntry.objects.latest("id")
    assert (entry.user.username, entry.object_id) == ("user", str(campaign.pk))
    assert "nobody more was queued" in entry.get_change_message()


def test_the_command_stops_it_too():
    campaign, out = more_are_queued(), StringIO()
    call_command("stop_queueing", campaign.name, stdout=out)
    assert out.getvalue() == "Stopped queueing “News”: nobody more was queued\n"
    with pytest.raises(CommandError, match="not being queued"):
        call_command("stop_queueing", campaign.name)


def test_a_finished_campaign_stays_finished_when_queueing_more_is_cancelled():
    campaign = asked_for()
    running.run_next()
    QueuedEmail.objects.update(status="failed", finished_at=Now())
    campaign.lists.add(make_list(6, "late", prefix="late"))
    actions.send_campaign(campaign)

    count = actions.cancel_campaign(campaign)

    assert actions.told_cancelled(campaign, count) == "Stopped queueing “News”: nobody more was queued"
    assert (again(campaign).status, len(mails(campaign))) == ("sending", 5)


def test_paused_while_more_are_queued_it_stays_paused():
    campaign = asked_for()
    running.run_next()
    campaign.lists.add(make_list(6, "late", prefix="late"))
    actions.send_campaign(campaign)
    actions.pause_campaign(campaign)
    running.run_next()
    assert (again(campaign).status, len(mails(campaign))) == ("paused", 11)


def test_when_its_worker_died_the_next_one_queues_everybody_once():
    campaign = asked_for()
    kind, slow = claim()
    lapse(slow)
    assert running.run_next().state == "done"
    with pytest.raises(running.Interrupted):
        running._work(kind, slow)
    assert len(mails(campaign)) == 5


def test_when_three_workers_died_of_it_it_is_a_draft_again_and_its_page_says_why():
    campaign = asked_for()
    begin_three_times(Queueing.objects.get())
    assert running.run_next() is None
    assert (again(campaign).status, mails(campaign)) == ("draft", [])
    text = log_in("Viewer").get(page("campaigns_campaign_progress", campaign.pk)).content.decode()
    assert "It was not queued." in text
    assert "ended three times" in text


def test_when_everybody_was_suppressed_meanwhile_it_is_a_draft_again():
    campaign = asked_for()
    for number in range(1, 6):
        Suppression.objects.create(email=f"person{number}@example.com")
    assert running.run_next().state == "refused"
    assert again(campaign).status == "draft"


def test_a_campaign_with_nobody_or_without_a_message_is_refused_as_ever():
    with pytest.raises(actions.Refused, match="says nothing"):
        actions.send_campaign(make_campaign(make_list(5), text=""))
    with pytest.raises(actions.Refused, match="no recipients"):
        actions.send_campaign(make_campaign(name="Nobody"))


def test_meanwhile_it_can_not_be_edited_deleted_paused_or_lose_its_account():
    campaign, account = asked_for(), make_account()
    campaign.accounts.set([account])
    client = log_in("Administrator")
    client.post(page("campaigns_campaign_change", campaign.pk), {"name": "News", "subject": "Other"})
    client.post(page("campaigns_campaign_delete", campaign.pk), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [campaign.pk], "post": "yes"}
    client.post(page("campaigns_campaign_changelist"), chosen)
    client.post(page("accounts_smtpaccount_delete", account.pk), {"post": "yes"})
    with pytest.raises(actions.Refused, match="being queued"):
        actions.pause_campaign(campaign)
    assert again(campaign).subject == "Hello {{ first_name }}"
    assert again(campaign).accounts.get() == account


def test_its_pages_tell_how_far_it_is_and_who_may_send_can_stop_it():
    campaign = asked_for(user=make_user())
    progress = page("campaigns_campaign_progress", campaign.pk)
    viewer, sender = log_in("Viewer"), Client()
    Queueing.objects.update(rows_done=2, percent=40)
    text = viewer.get(progress).content.decode()
    assert "Sending is not running, so this waits." in text
    assert "2 of 5 emails queued" in text
    assert "Stop queueing" not in text
    assert "2 of 5 emails" in viewer.get(page("campaigns_campaign_change", campaign.pk)).content.decode()
    assert viewer.get(page("campaigns_campaign_queueing", campaign.pk)).status_code == 200

    sender.force_login(make_user("Sender", name="sam"))
    assert "Stop queueing" in sender.get(progress).content.decode()
    sender.post(page("campaigns_campaign_act", campaign.pk), {"act": "stop"})

    assert again(campaign).status == "draft"
    response = sender.get(page("campaigns_campaign_queueing", campaign.pk))
    assert response["HX-Refresh"] == "true"


def test_no_worker_of_a_kind_begins_while_another_is_at_long_work():
    asked_for()
    claim()
    asked_for_too = make_campaign(make_list(5, "others", prefix="other"), name="Others")
    actions.send_campaign(asked_for_too)
    assert running.is_any_waiting()
    assert running.run_next() is None
