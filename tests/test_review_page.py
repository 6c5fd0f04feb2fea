"""Before it is sent: what would go out, what would go wrong, when it is done; one button."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from accounts.models import SmtpAccount
from campaigns import actions
from campaigns.models import Attachment, Campaign
from config.demo.smtp_server import LocalSmtpServer
from sending.models import Heartbeat, QueuedEmail, Suppression
from tests.factories import make_account, make_campaign, make_list, make_user
from tests.queue_rows import beat, make_sent
from tests.staff import log_in

pytestmark = pytest.mark.django_db
GOOD = '<p>Dear {{ first_name }}</p><a href="https://example.com/unsubscribe">Unsubscribe</a>'


@pytest.fixture
def draft() -> Campaign:
    beat()
    make_account(daily_limit=1000)
    return make_campaign(make_list(12), html=GOOD)


def url(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_review", args=[campaign.pk])


def shown(client: Client, campaign: Campaign) -> str:
    response = client.get(url(campaign))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def send(client: Client, campaign: Campaign, seen: str | None = None) -> list[str]:
    """Presses the button of the page as it was seen; returns the messages of the page that follows."""
    seen = seen or seen_by(client, campaign)
    response = client.post(url(campaign), {"seen": seen}, follow=True)
    return [str(message) for message in response.context["messages"]]


def seen_by(client: Client, campaign: Campaign) -> str:
    return re.findall(r'name="seen" value="(\w+)"', shown(client, campaign))[0]


def test_it_tells_who_gets_it_what_was_checked_and_when_it_is_finished(admin_client, draft):
    Suppression.objects.create(email="person1@example.com")
    Attachment.objects.create(campaign=draft, filename="a.pdf", content_type="application/pdf", content=b"x")
    page = shown(admin_client, draft)
    assert "11 mails over 1 account: finished today about" in page or "finished tomorrow about" in page
    assert "11 emails will be queued." in page
    assert "1 contact is suppressed and gets nothing." in page
    assert "It says how to unsubscribe." in page
    assert "a.pdf" in page
    assert "Send 11 emails" in page
    assert not QueuedEmail.objects.exists()


def test_the_button_queues_and_leads_to_the_progress(admin_client, admin_user, draft):
    assert send(admin_client, draft) == ["Queued 12 emails for sending"]
    draft.refresh_from_db()
    assert (draft.status, draft.queued_by) == ("sending", admin_user)
    assert LogEntry.objects.get().change_message == "Queued 12 emails for sending"
    response = admin_client.post(url(draft), {"seen": "x"})
    assert response["Location"] == url(draft)


def test_after_it_the_progress_is_shown_to_who_may_see_it(draft):
    client = log_in("Sender")
    response = client.post(url(draft), {"seen": seen_by(client, draft)})
    assert response["Location"] == reverse("admin:campaigns_campaign_progress", args=[draft.pk])


def test_what_was_changed_since_one_looked_is_not_sent(admin_client, draft):
    seen = seen_by(admin_client, draft)
    for change in (
        lambda: Campaign.objects.update(html="<p>other unsubscribe"),
        lambda: draft.lists.add(make_list(1, "more", "more")),
        lambda: draft.accounts.set(SmtpAccount.objects.all()),
        lambda: Attachment.objects.create(campaign=draft, filename="a", content_type="a/b", content=b"x"),
    ):
        change()
        assert send(admin_client, draft, seen) == ["It was changed, or sent, after you looked: look again."]
        seen = seen_by(admin_client, draft)
    assert not QueuedEmail.objects.exists()
    assert send(admin_client, draft, seen) == ["Queued 13 emails for sending"]


def test_what_must_be_mended_stops_it(admin_client, draft):
    seen = seen_by(admin_client, draft)
    SmtpAccount.objects.update(pause_reason="It needs a new password.")
    assert send(admin_client, draft, seen) == ["Something has to be mended first: see below."]
    page = shown(admin_client, draft)
    assert "Must be mended" in page
    assert "see what must be mended" in page
    assert "data-confirm" not in page
    assert not QueuedEmail.objects.exists()


def test_nothing_is_sent_by_looking_or_by_who_may_not(draft):
    for role in ("Viewer", "Editor", "Account manager"):
        client = Client()
        client.force_login(make_user(role, name=role))
        assert "Send 12 emails" not in shown(client, draft)
        assert client.post(url(draft), {"seen": seen_by(client, draft)}).status_code == 403
    assert log_in("nobody").get(url(draft)).status_code == 403
    assert not QueuedEmail.objects.exists()


def test_one_that_is_paused_or_cancelled_can_not_be_queued_there(admin_client, draft):
    actions.queue_campaign(draft)
    draft.lists.add(make_list(3, "new", "new"))
    assert "Send 3 emails" in shown(admin_client, draft)
    actions.pause_campaign(draft)
    page = shown(admin_client, draft)
    assert "It is paused: nothing can be queued now." in page
    assert send(admin_client, draft) == ["“News” is paused: resume it instead."]


def test_while_sending_does_not_run_it_says_so(admin_client, draft):
    Heartbeat.objects.all().delete()
    assert "Sending is not running now" in shown(admin_client, draft)


def test_without_recipients_nothing_is_foreseen(admin_client):
    page = shown(admin_client, make_campaign(html=GOOD))
    assert "Nobody is on its lists: choose a list with contacts." in page
    assert "When it will be finished" not in page


def test_an_unknown_campaign_is_not_found(admin_client):
    assert admin_client.get(reverse("admin:campaigns_campaign_review", args=[0])).status_code == 404


def test_accounts_that_have_sent_nothing_lately_are_asked_whether_they_can_log_in(draft):
    SmtpAccount.objects.all().delete()
    with LocalSmtpServer({"me": "secret"}) as server:
        server_fields = {"port": server.port, "username": "me", "host": "127.0.0.1"}
        make_account("right", password="secret", **server_fields)
        make_account("wrong", password="old", **server_fields)
        proven = make_account("proven", password="old", **server_fields)
        make_account("paused", password="old", pause_reason="Full.", **server_fields)
        make_sent(draft, proven, 1)
        client = log_in("Sender")
        assert "Whether 2 accounts can log in" in shown(client, draft)
        answer = client.post(reverse("admin:campaigns_campaign_log_ins", args=[draft.pk])).content.decode()
    assert "1 account can log in." in answer
    assert "wrong: 127.0.0.1 does not accept user name “me” with this password." in answer
    assert "proven" not in answer
    assert "paused" not in answer


def test_an_account_that_answered_is_not_asked_again_until_its_connection_is_another_one(draft):
    SmtpAccount.objects.all().delete()
    client = log_in("Sender")

    def ask() -> str:
        url = reverse("admin:campaigns_campaign_log_ins", args=[draft.pk])
        return client.post(url).content.decode()

    log_ins = []

    def script(phase, login, rcpt):
        log_ins.extend([login] if phase == "auth" else [])

    with LocalSmtpServer({"me": "secret"}) as server:
        server.script = script
        account = make_account("one", port=server.port, username="me", password="old")
        assert "does not accept user name" in ask()
        account.refresh_from_db()
        assert account.is_paused
        assert ask().strip() == ""  # the review says that it can't send
        account.password, account.pause_reason = "secret", ""
        account.save()
        assert "1 account can log in." in ask()
        assert "1 account can log in." in ask()
        assert log_ins == ["me", "me"]


@pytest.mark.parametrize("role", ["Viewer", "Editor", "Account manager"])
def test_only_who_may_send_has_accounts_log_in(draft, role):
    client = log_in(role)
    assert "can log in" not in shown(client, draft)
    assert client.post(reverse("admin:campaigns_campaign_log_ins", args=[draft.pk])).status_code == 403
