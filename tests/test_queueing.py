import pytest
from django.db.models.functions import Now

from campaigns import actions
from campaigns.models import Campaign
from sending.models import QueuedEmail, Suppression
from tests.factories import make_campaign, make_list

pytestmark = pytest.mark.django_db


def states(campaign):
    return list(QueuedEmail.objects.filter(campaign=campaign).order_by("id").values_list("email", "status"))


def test_everybody_on_the_lists_is_queued_once_in_order():
    first, second = make_list(3, "first"), make_list(2, "second", prefix="guest")
    second.contacts.add(first.contacts.first())
    campaign = make_campaign(first, second)
    assert actions.queue_campaign(campaign) == 5
    assert [email for email, _ in states(campaign)] == [
        "person1@example.com", "person2@example.com", "person3@example.com",
        "guest1@example.com", "guest2@example.com",
    ]  # fmt: skip
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.SENDING
    assert campaign.queued_at is not None


def test_queueing_twice_queues_nobody_twice_and_keeps_the_place_in_the_order():
    campaign = make_campaign(make_list(3))
    actions.queue_campaign(campaign)
    queued_at = campaign.queued_at
    assert actions.queue_campaign(campaign) == 0
    assert len(states(campaign)) == 3
    assert campaign.queued_at == queued_at


def test_who_joins_a_list_later_is_queued_by_sending_again():
    everybody = make_list(2)
    campaign = make_campaign(everybody)
    actions.queue_campaign(campaign)
    everybody.contacts.add(make_list(1, "late", prefix="late").contacts.get())
    assert actions.queue_campaign(campaign) == 1


def test_a_suppressed_address_is_not_queued_whatever_its_case():
    Suppression.objects.create(email="Person2@Example.com")
    campaign = make_campaign(make_list(3))
    assert actions.queue_campaign(campaign) == 2


@pytest.mark.parametrize(("status", "says"), [("paused", "resume it"), ("cancelled", "make a new campaign")])
def test_a_paused_or_cancelled_campaign_is_refused_with_what_to_do(status, says):
    campaign = make_campaign(make_list(1))
    actions.queue_campaign(campaign)
    Campaign.objects.update(status=status)
    with pytest.raises(actions.Refused, match=says):
        actions.queue_campaign(campaign)


def test_a_campaign_without_recipients_or_without_a_message_is_refused_and_stays_a_draft():
    nobody = make_campaign(make_list(0), name="nobody")
    with pytest.raises(actions.Refused, match="no recipients"):
        actions.queue_campaign(nobody)
    silent = make_campaign(make_list(1, "one"), name="silent", text="")
    with pytest.raises(actions.Refused, match="says nothing"):
        actions.queue_campaign(silent)
    assert set(Campaign.objects.values_list("status", flat=True)) == {"draft"}


def test_pause_resume_and_cancel_move_only_what_they_may():
    campaign = make_campaign(make_list(2))
    with pytest.raises(actions.Refused, match="draft"):
        actions.pause_campaign(campaign)
    actions.queue_campaign(campaign)
    actions.pause_campaign(campaign, "lunch")
    assert (campaign.status, campaign.pause_reason) == ("paused", "lunch")
    actions.resume_campaign(campaign)
    assert (campaign.status, campaign.pause_reason) == ("sending", "")
    assert actions.cancel_campaign(campaign) == 2
    assert {status for _, status in states(campaign)} == {"cancelled"}
    with pytest.raises(actions.Refused, match="cancelled"):
        actions.resume_campaign(campaign)


def test_a_finished_campaign_is_not_cancelled():
    campaign = make_campaign(make_list(2))
    actions.queue_campaign(campaign)
    QueuedEmail.objects.update(status="failed", finished_at=Now())
    with pytest.raises(actions.Refused, match="is finished"):
        actions.cancel_campaign(campaign)


def test_queueing_any_number_of_contacts_costs_the_same_statements(django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    few, many = make_campaign(make_list(2)), make_campaign(make_list(1234, "many", "m"), name="Many")
    with CaptureQueriesContext(connection) as for_few:
        actions.queue_campaign(few)
    with django_assert_num_queries(len(for_few)):
        assert actions.queue_campaign(many) == 1234
