"""Uncertain emails in the admin and on the command line: what is known, and what a person can decide."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Max
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from campaigns.actions import cancel_campaign
from sending import capacity, uncertain
from sending.dispatch import dispatch
from sending.models import Batch, QueuedEmail, SendLog
from sending.status import queue_status
from sending.suppression import suppress
from tests.factories import make_account, set_pace
from tests.imap_fixtures import USER, imap_of
from tests.queue_rows import make_batch, make_queue, queued

pytestmark = pytest.mark.django_db
LIST = "/admin/sending/uncertainemail/"


def make_uncertain(account, count=1, campaign=None):
    mails = make_queue(
        campaign or queued(), "uncertain", count, account, attempts=1, last_reply="The connection was lost."
    )
    Batch.objects.update(finished=Now() - timedelta(seconds=10))
    return mails


def act(client, action, *mails, **data):
    """With confirmed="yes" as the page that asks would have it now."""
    if data.get("confirmed") == "yes":
        data["confirmed"] = QueuedEmail.objects.aggregate(newest=Max("batch"))["newest"]
    data |= {"action": action, "_selected_action": [mail.pk for mail in mails]}
    return client.post(LIST, data, follow=True)


def said(response):
    return [str(message) for message in response.context["messages"]]


def states(*mails):
    return [QueuedEmail.objects.get(pk=mail.pk).status for mail in mails]


@pytest.fixture
def mails():
    return make_uncertain(make_account(), 3)


def test_the_list_tells_what_is_known_and_what_happens_next(admin_client, mails):
    make_queue(queued("Other"), "sent")
    page = admin_client.get(LIST)
    assert [mail.pk for mail in page.context_data["cl"].result_list] == [mail.pk for mail in mails]
    text = page.content.decode()
    for words in ("Uncertain emails", "The connection was lost.", "Not looked for.", "A person decides"):
        assert words in text


def test_the_list_takes_the_same_number_of_queries_however_long_it_is(admin_client, mails):
    with CaptureQueriesContext(
        connection,
    ) as few:
        admin_client.get(LIST)
    make_uncertain(make_account("a2"), 20, queued("Second"))
    with CaptureQueriesContext(connection) as many:
        admin_client.get(LIST)
    assert len(many) == len(few)


def test_a_page_shows_the_attempts_and_the_looks_and_changes_nothing(admin_client, mails):
    SendLog.objects.create(
        queued_email=mails[0], batch=mails[0].batch, account=mails[0].account, phase="dot",
        outcome="uncertain", duration=1,
    )  # fmt: skip
    page = admin_client.get(f"{LIST}{mails[0].pk}/change/").content.decode()
    assert "Final dot" in page
    assert "Looks in the Sent folder" in page
    assert 'name="_save"' not in page


def test_those_that_arrived_count_as_sent_and_the_history_says_who_decided(admin_client, admin_user, mails):
    response = act(admin_client, "arrived", *mails[:2])
    assert said(response) == ["2 emails count as sent"]
    assert states(*mails) == ["sent", "sent", "uncertain"]
    assert [entry.user for entry in LogEntry.objects.all()] == [admin_user] * 2


def test_its_own_page_has_a_button_for_each_decision_for_who_may_decide(admin_client, client, mails):
    buttons = [f'name="action" value="{action}"' for action in ("look_now", "arrived", "send_again")]
    text = admin_client.get(f"{LIST}{mails[0].pk}/change/").content.decode()
    assert all(button in text for button in buttons)
    assert f'name="_selected_action" value="{mails[0].pk}"' in text
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_queuedemail"))
    client.force_login(viewer)
    text = client.get(f"{LIST}{mails[0].pk}/change/").content.decode()
    assert "A person decides" in text
    assert not any(button in text for button in buttons)


def test_sending_again_asks_first_and_then_does_it(admin_client, mails):
    response = act(admin_client, "send_again", *mails[:2])
    assert states(*mails) == ["uncertain"] * 3
    text = " ".join(response.content.decode().split())
    assert "already gets the same email once more" in text
    assert mails[0].email in text
    assert mails[2].email not in text
    response = act(admin_client, "send_again", *mails[:2], confirmed="yes")
    assert said(response) == ["2 emails go out again"]
    assert states(*mails) == ["pending", "pending", "uncertain"]


def test_one_that_went_out_and_is_uncertain_again_since_the_question_is_not_sent_a_third_time(
    admin_client, mails
):
    page = act(admin_client, "send_again", *mails[:2])
    confirmed = page.context_data["newest"]
    assert f'name="confirmed" value="{confirmed}"' in page.content.decode()
    again = make_batch(started=Now(), token="0" * 32, finished=Now())  # somebody else sent it again meanwhile
    QueuedEmail.objects.filter(pk=mails[0].pk).update(batch=again, attempts=2)
    response = act(admin_client, "send_again", *mails[:2], confirmed=confirmed)
    assert said(response) == [
        "1 email goes out again",
        "1 stays as it is: its campaign is cancelled, or it was resolved meanwhile.",
    ]
    assert states(*mails[:2]) == ["uncertain", "pending"]


def test_what_is_said_of_one_whose_address_is_suppressed_comes_true(admin_client):
    account = make_account("a3", when_unproven="resend")
    mail, other = make_uncertain(account, 2)
    suppress(mail.email.upper(), "unsubscribed")
    told = uncertain.tell([mail, other])
    ending = "it goes back to the queue and ends as suppressed (unsubscribed)."
    assert told[mail.pk].what_next.endswith(ending)
    assert told[other.pk].what_next.startswith("Is sent again ")
    response = act(admin_client, "send_again", mail, other, confirmed="yes")
    assert said(response) == ["1 email goes out again; 1 ends as suppressed, and is not sent"]
    set_pace()
    Batch.objects.update(created=Now() - timedelta(seconds=10))  # else the next one is not due
    dispatch()
    assert states(mail, other) == ["suppressed", "sending"]


def test_the_command_tells_of_suppressed_ones_too(mails):
    suppress(mails[0].email, "bounced")
    assert run("--resend", mails[0].email) == "0 emails go out again; 1 ends as suppressed, and is not sent\n"


def test_mails_of_a_cancelled_campaign_are_not_sent_again_and_it_is_said(admin_client, mails):
    cancel_campaign(mails[0].campaign)
    response = act(admin_client, "send_again", mails[0], confirmed="yes")
    assert "1 stays as it is: its campaign is cancelled, or it was resolved meanwhile." in said(response)
    assert states(mails[0]) == ["uncertain"]


def test_one_that_did_not_arrive_is_cancelled_with_its_campaign(admin_client, admin_user, mails):
    url = f"{LIST}{mails[0].pk}/change/"
    assert 'value="not_arrived"' not in admin_client.get(url).content.decode()
    cancel_campaign(mails[0].campaign)
    text = admin_client.get(url).content.decode()
    assert "It did not arrive: cancel it, as its campaign is (nothing is sent)" in text
    assert 'value="send_again"' not in text
    used = capacity.look([mails[0].account_id])[mails[0].account_id].used

    response = act(admin_client, "not_arrived", *mails[:2])

    assert said(response) == ["2 emails are cancelled"]
    assert states(*mails) == ["cancelled", "cancelled", "uncertain"]
    assert [entry.user for entry in LogEntry.objects.all()] == [admin_user] * 2
    # The server may have accepted them all the same.
    assert capacity.look([mails[0].account_id])[mails[0].account_id].used == used == 3
    assert set(SendLog.objects.values_list("outcome", flat=True)) == {"uncertain"}


def test_one_of_a_campaign_that_goes_on_is_not_cancelled_and_it_is_said(admin_client, mails):
    other = make_uncertain(make_account("a2"), 1, queued("Second"))[0]
    cancel_campaign(other.campaign)
    response = act(admin_client, "not_arrived", mails[0], other)
    assert said(response) == [
        "1 email is cancelled",
        "1 stays as it is: its campaign is not cancelled, so it can be sent again, or it was resolved "
        "meanwhile.",
    ]
    assert states(mails[0], other) == ["uncertain", "cancelled"]
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(other.pk)]


def test_looking_now_settles_what_is_there_and_tells_of_the_others(admin_client, dovecot):
    there, missing = make_uncertain(make_account(**imap_of(dovecot)), 2)
    (unasked,) = make_uncertain(make_account("a2"), 1, queued("Second"))
    dovecot.file_sent(USER, f"Message-ID: {there.message_id}\r\n\r\nHello\r\n".encode())
    response = act(admin_client, "look_now", there, missing, unasked)
    assert said(response) == [
        "Looked: 1 found in the Sent folder, 1 not there, 0 could not be looked for, 0 sent again.",
        "1 email can't be looked for: its account has no IMAP host.",
    ]
    assert states(there, missing, unasked) == ["sent", "uncertain", "uncertain"]
    dovecot.stop()
    assert any("Nothing listens on" in text for text in said(act(admin_client, "look_now", missing)))


@pytest.mark.parametrize("action", ["arrived", "send_again", "look_now", "not_arrived"])
def test_who_may_only_look_decides_nothing(client, mails, action):
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_queuedemail"))
    client.force_login(viewer)
    assert client.get(LIST).status_code == 200
    if action == "not_arrived":
        cancel_campaign(mails[0].campaign)
    act(client, action, *mails, confirmed="yes")
    assert states(*mails) == ["uncertain"] * 3
    viewer.user_permissions.add(Permission.objects.get(codename="resolve_queuedemail"))
    act(client, "arrived", *mails)
    assert states(*mails) == ["sent"] * 3


def test_who_may_not_even_look_sees_nothing(client, mails):
    client.force_login(User.objects.create_user("other", is_staff=True))
    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}{mails[0].pk}/change/").status_code == 403


def test_nothing_happens_on_get(admin_client, mails):
    admin_client.get(LIST, {"action": "arrived", "_selected_action": mails[0].pk})
    assert states(*mails) == ["uncertain"] * 3


def run(*arguments):
    out = StringIO()
    call_command("resolve_uncertain", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tells_the_same(mails):
    told = json.loads(run("--json"))
    assert len(told) == 3
    assert {"email", "campaign", "account", "message_id", "why"} < set(told[0])
    assert told[0]["looked"] == "Not looked for."
    assert told[0]["next"] == "A person decides: the account has no IMAP host to look for it."
    text = run()
    assert told[0]["next"] in text
    assert f"{told[0]['phase']}: {told[0]['why']}\n" in text
    assert "3 uncertain emails\nTo end some: --sent, --resend or --cancel" in text


def test_the_command_cancels_none_of_a_campaign_that_goes_on(mails):
    with pytest.raises(CommandError, match="0 emails are cancelled; 1 stays as it is: its campaign is"):
        run("--cancel", mails[0].email)
    assert states(*mails) == ["uncertain"] * 3


def test_the_command_resolves_those_that_it_is_told(mails):
    assert run("--sent", mails[0].email) == "1 email counts as sent\n"
    assert run("--resend", mails[1].email) == "1 email goes out again\n"
    cancel_campaign(mails[2].campaign)
    with pytest.raises(CommandError, match="1 stays as it is: its campaign is cancelled"):
        run("--resend", "--all")
    assert states(mails[0], mails[2]) == ["sent", "uncertain"]
    assert run("--cancel", "--all") == "1 email is cancelled\n"
    assert states(mails[2]) == ["cancelled"]
    with pytest.raises(CommandError, match="Say which"):
        run("--sent")


def test_the_status_says_when_it_is_looked_for_next(dovecot):
    make_uncertain(make_account(**imap_of(dovecot)), 2)
    make_uncertain(make_account("a2"), 1, queued("Second"))
    make_uncertain(make_account("a3", when_unproven="resend"), 1, queued("Third"))
    status = queue_status()
    first, second, third = (campaign["waiting"] for campaign in status["campaigns"])
    assert first.startswith("2 uncertain: looked for in the Sent folder (next look ")
    assert second == "1 uncertain: may have arrived, so a person decides (see Uncertain emails)"
    assert third.startswith("1 uncertain: sent again ")
    assert status["waiting"].startswith("4 uncertain: 2 looked for in the Sent folder (next look ")
    assert ", 1 sent again " in status["waiting"]
    assert status["waiting"].endswith(", 1 may have arrived, so a person decides (see Uncertain emails)")
