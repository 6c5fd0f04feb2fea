"""Of a mail that waits, and whose address was suppressed, screens say that it will not be sent, and why."""

import csv
import io

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns import actions
from campaigns.models import Campaign, Contact
from sending.dispatch import dispatch
from sending.models import QueuedEmail, Suppression
from sending.suppression import REASONS, suppress, unsuppress, why_not_sent
from tests.factories import make_account, make_campaign, make_list, set_pace
from tests.queue_rows import beat, make_queue, queued

pytestmark = pytest.mark.django_db
NOT_SENT = "will not be sent: {}, so it ends as suppressed when its turn comes"


@pytest.fixture
def campaign() -> Campaign:
    beat()
    set_pace()
    make_account()
    return queued()


def shown(client, campaign: Campaign) -> dict[str, str]:
    response = client.get(reverse("admin:campaigns_campaign_progress", args=[campaign.pk]))
    return {row["told"].mail.email: row["told"].why for row in response.context["rows"]}


@pytest.mark.parametrize("status", ["pending", "retry"])
@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("unsubscribed", "unsubscribed"), ("bounced", "bounced"), ("complained", "complained"),
        ("manual", "entered by hand"),
    ],
)  # fmt: skip
def test_the_list_of_recipients_says_so_and_why(admin_client, campaign, status, reason, word):
    (mail,) = make_queue(campaign, status)
    suppress(mail.email.upper(), reason)
    assert shown(admin_client, campaign) == {mail.email: NOT_SENT.format(word)}


def test_it_says_so_while_the_campaign_is_paused_too_and_not_of_other_mails(admin_client, campaign):
    mail, other = make_queue(campaign, "pending", 2)
    actions.pause_campaign(campaign)
    suppress(mail.email, "bounced")
    assert shown(admin_client, campaign) == {
        mail.email: NOT_SENT.format("bounced"),
        other.email: "the campaign is paused",
    }


def test_what_it_says_comes_true_when_its_turn_comes(admin_client, campaign):
    (mail,) = make_queue(campaign)
    suppress(mail.email, "unsubscribed")
    dispatch()
    assert QueuedEmail.objects.get().status == "suppressed"
    assert shown(admin_client, campaign) == {mail.email: ""}


def test_taken_off_the_list_in_time_it_waits_as_before_and_goes_out(admin_client, campaign):
    (mail,) = make_queue(campaign)
    suppress(mail.email, "manual")
    unsuppress(mail.email)
    assert shown(admin_client, campaign) == {mail.email: "next in line"}
    dispatch()
    assert QueuedEmail.objects.get().status == "sending"


def test_the_page_of_the_person_and_of_the_mail_say_so_too(admin_client, campaign):
    people = make_list(1)
    campaign = make_campaign(people, name="Spring")
    actions.queue_campaign(campaign)
    contact, mail = Contact.objects.get(), QueuedEmail.objects.get()
    pages = (
        reverse("admin:campaigns_contact_change", args=[contact.pk]),
        reverse("admin:sending_queuedemail_change", args=[mail.pk]),
    )
    for page in pages:
        assert "ill not be sent" not in admin_client.get(page).content.decode()
    suppress(contact.email, "complained")
    for page in pages:
        told = NOT_SENT.format("complained").replace("will", "Will")
        assert told in admin_client.get(page).content.decode()


def test_the_export_says_so_in_a_column_of_its_own(admin_client, campaign):
    mail, other = make_queue(campaign, "pending", 2)
    make_queue(campaign, "sent", 1)
    suppress(mail.email, "unsubscribed")
    response = admin_client.get(reverse("admin:campaigns_campaign_export", args=[campaign.pk]))
    rows = csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig")))
    notes = {row["address"]: row["note"] for row in rows}
    assert notes.pop(mail.email) == NOT_SENT.format("unsubscribed")
    assert set(notes.values()) == {""}
    assert other.email in notes


def test_it_is_one_statement_for_a_page_and_none_where_nothing_waits(campaign):
    mails = make_queue(campaign, "pending", 20)
    for mail in mails[:10]:
        suppress(mail.email, "bounced")
    with CaptureQueriesContext(connection) as queries:
        assert len(why_not_sent(mails)) == 10
        assert why_not_sent([]) == {}
    assert len(queries) == 1


def test_a_live_page_hears_of_it(admin_client, campaign):
    (mail,) = make_queue(campaign)
    url = reverse("admin:campaigns_campaign_progress", args=[campaign.pk]) + "?fragment=1"
    known = admin_client.get(url)["ETag"]
    suppress(mail.email, "bounced")
    response = admin_client.get(url, headers={"If-None-Match": known})
    assert response.status_code == 200
    assert "Will not be sent" in response.content.decode()


def test_the_look_up_reads_neither_the_queue_nor_the_list_from_end_to_end(campaign):
    Suppression.objects.bulk_create(Suppression(email=f"s{n}@example.com") for n in range(30_000))
    QueuedEmail.objects.bulk_create(
        QueuedEmail(campaign=campaign, email=f"s{n}@example.com") for n in range(5000)
    )
    mails = list(QueuedEmail.objects.values_list("pk", flat=True)[:50])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE sending_queuedemail, sending_suppression")
        cursor.execute("EXPLAIN " + REASONS, {"mails": mails})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "sending_suppression_email_once" in plan, plan
    assert "Seq Scan" not in plan, plan
