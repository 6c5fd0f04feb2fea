"""The actions of the campaign list: each answers at once, one message per campaign."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from campaigns import actions
from campaigns.models import Campaign
from sending.models import QueuedEmail
from tests.factories import make_account, make_campaign, make_list
from tests.queue_rows import make_queue

pytestmark = pytest.mark.django_db
LIST = reverse("admin:campaigns_campaign_changelist")


def act(client: Client, action: str, *campaigns: Campaign) -> list[tuple[str, str]]:
    """Chooses the action for these campaigns; returns the messages as (level, text)."""
    chosen = {"action": action, "_selected_action": [campaign.pk for campaign in campaigns]}
    response = client.post(LIST, chosen, follow=True)
    return [(message.level_tag, str(message)) for message in response.context["messages"]]


def log_in(*permissions: str) -> Client:
    user = User.objects.create_user("may " + " ".join(permissions), is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def test_send_answers_with_the_number_of_mails_queued(admin_client: Client, admin_user: User) -> None:
    campaign = make_campaign(make_list(1234))
    assert act(admin_client, "send", campaign) == [("success", "Queued 1,234 emails for sending")]
    campaign.refresh_from_db()
    assert (campaign.status, campaign.queued_by) == ("sending", admin_user)
    assert QueuedEmail.objects.filter(campaign=campaign, status="pending").count() == 1234


def test_sending_twice_queues_nobody_twice(admin_client: Client) -> None:
    campaign = make_campaign(make_list(3))
    act(admin_client, "send", campaign)
    assert act(admin_client, "send", campaign) == [
        ("success", "Queued 0 emails for sending: everybody on its lists was queued before")
    ]
    assert QueuedEmail.objects.count() == 3


def test_a_refusal_is_an_error_message_and_stops_no_other(admin_client: Client) -> None:
    empty, sound = make_campaign(name="empty"), make_campaign(make_list(2), name="sound")
    assert act(admin_client, "send", empty, sound) == [
        ("error", "“empty” has no recipients: choose a list with contacts not suppressed."),
        ("success", "Queued 2 emails for sending"),
    ]
    assert QueuedEmail.objects.filter(campaign=sound).count() == 2


def test_pause_and_resume_say_so(admin_client: Client) -> None:
    campaign = make_campaign(make_list(1))
    actions.queue_campaign(campaign)
    assert act(admin_client, "pause", campaign) == [("success", "Paused “News”")]
    campaign.refresh_from_db()
    assert (campaign.status, campaign.pause_reason) == ("paused", "Paused by admin")
    assert act(admin_client, "resume", campaign) == [("success", "Resumed “News”")]
    campaign.refresh_from_db()
    assert (campaign.status, campaign.pause_reason) == ("sending", "")


def test_pausing_a_draft_is_refused(admin_client: Client) -> None:
    ((level, text),) = act(admin_client, "pause", make_campaign(make_list(1)))
    assert level == "error"
    assert "“News” is draft" in text


def test_cancel_says_how_many_mails_stay_behind(admin_client: Client) -> None:
    campaign = make_campaign(make_list(3))
    actions.queue_campaign(campaign)
    assert act(admin_client, "cancel", campaign) == [
        ("success", "Cancelled “News”: 3 emails will not be sent")
    ]
    assert QueuedEmail.objects.filter(status="cancelled").count() == 3


def test_cancel_tells_of_those_that_a_batch_has_in_hand(admin_client: Client) -> None:
    campaign = make_campaign(make_list(3))
    actions.queue_campaign(campaign)
    make_queue(campaign, "sending", 2, make_account())
    ((_, text),) = act(admin_client, "cancel", campaign)
    assert text == (
        "Cancelled “News”: 3 emails will not be sent; "
        "2 more are in a batch: those not out by then are cancelled when that goes on"
    )


def test_retry_puts_failed_mails_back(admin_client: Client) -> None:
    campaign = make_campaign(make_list(3))
    actions.queue_campaign(campaign)
    QueuedEmail.objects.filter(email="person2@example.com").update(
        status="failed", finished_at="2026-01-01T00:00Z"
    )
    assert act(admin_client, "retry", campaign) == [("success", "1 failed email of “News” goes out again")]
    assert QueuedEmail.objects.filter(status="pending").count() == 3


@pytest.mark.parametrize("action", ["send", "pause", "resume", "cancel", "retry"])
def test_who_may_only_look_can_do_nothing(action: str) -> None:
    campaign = make_campaign(make_list(1))
    client = log_in("view_campaign")
    act(client, action, campaign)
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    assert not QueuedEmail.objects.exists()


def test_the_change_permission_is_not_enough_to_send_and_not_needed_for_it() -> None:
    campaign = make_campaign(make_list(1))
    writer, sender = log_in("view_campaign", "change_campaign"), log_in("view_campaign", "send_campaign")
    act(writer, "send", campaign)
    assert not QueuedEmail.objects.exists()
    assert act(sender, "send", campaign) == [("success", "Queued 1 email for sending")]


@pytest.mark.parametrize("action", ["send", "pause", "cancel", "retry"])
def test_a_get_does_nothing(admin_client: Client, action: str) -> None:
    campaign = make_campaign(make_list(1))
    admin_client.get(LIST, {"action": action, "_selected_action": campaign.pk}, follow=True)
    campaign.refresh_from_db()
    assert campaign.status == "draft"
    assert not QueuedEmail.objects.exists()


def test_a_post_without_csrf_token_is_refused(admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    campaign = make_campaign(make_list(1))
    assert client.post(LIST, {"action": "send", "_selected_action": campaign.pk}).status_code == 403
    assert not QueuedEmail.objects.exists()
