"""Django's history of an object tells who did what in the admin, and is shown on its page."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.test import Client

from campaigns import actions
from config.demo.smtp_server import LocalSmtpServer
from sending.models import Pacing, QueuedEmail
from tests.factories import make_account, make_campaign, make_list
from tests.staff import log_in, page

pytestmark = pytest.mark.django_db


def choose(client: Client, model: str, action: str, chosen: Model) -> None:
    client.post(page(f"{model}_changelist"), {"action": action, "_selected_action": [chosen.pk]})


def told() -> list[tuple[str, str]]:
    """Oldest first: who, and what."""
    rows = LogEntry.objects.order_by("id").select_related("user")
    return [(row.user.username, row.get_change_message()) for row in rows]


def shown(client: Client, model: str, subject: Model) -> str:
    return client.get(page(f"{model}_history", subject.pk)).content.decode()


def test_what_becomes_of_a_campaign_is_in_its_history() -> None:
    campaign = make_campaign(make_list(2))
    client = log_in("Sender")
    for action in ("send", "pause", "resume"):
        choose(client, "campaigns_campaign", action, campaign)
    one = QueuedEmail.objects.earliest("id").pk
    QueuedEmail.objects.filter(pk=one).update(status="failed", finished_at="2026-01-01T00:00Z")
    for action in ("retry", "cancel"):
        choose(client, "campaigns_campaign", action, campaign)
    assert told() == [
        ("user", "Queued 2 emails for sending"),
        ("user", "Paused “News”"),
        ("user", "Resumed “News”"),
        ("user", "1 failed email of “News” goes out again"),
        ("user", "Cancelled “News”: 2 emails will not be sent"),
    ]
    assert "Queued 2 emails for sending" in shown(client, "campaigns_campaign", campaign)


def test_what_was_refused_is_not() -> None:
    campaign = make_campaign()
    choose(log_in("Sender"), "campaigns_campaign", "send", campaign)
    assert told() == []


def test_a_check_and_a_resumption_are_in_the_history_of_the_account() -> None:
    client = log_in("Account manager")
    with LocalSmtpServer({"me": "secret"}) as server:
        account = make_account(port=server.port, username="me", password="secret")
        client.post(page("accounts_smtpaccount_check"), {"account": [account.pk]})
    choose(client, "accounts_smtpaccount", "resume", account)
    assert told() == [("user", "Checked the connection: The connection works."), ("user", "Resumed")]
    assert "Resumed" in shown(client, "accounts_smtpaccount", account)


def test_a_changed_pace_is_in_its_history_with_the_old_and_the_new_value() -> None:
    pacing = Pacing.load()
    knobs = {
        "batch_size": 25, "scope": "account", "batch_interval": 30, "delay": 2, "jitter": 0,
        "retry_interval": 300, "max_retries": 3,
        "window_days": "every", "window_opens": "00:00", "window_closes": "00:00",
    }  # fmt: skip
    client = log_in("Administrator")
    client.post(page("sending_pacing_change", pacing.pk), knobs)
    assert told() == [("user", "Batch size: 10 → 25; The batch size holds for: all → account")]
    assert "10 → 25" in shown(client, "sending_pacing", pacing)


def test_the_shell_leaves_it_to_the_log(caplog) -> None:
    caplog.set_level("INFO")
    campaign = make_campaign(make_list(2))
    actions.queue_campaign(campaign)
    assert f"Campaign {campaign.pk}: 2 queued" in caplog.text
    assert told() == []
