"""The export of recipients: what the filter shows, safe in a spreadsheet, in flat memory."""

import csv
import io
import tracemalloc

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campaigns import export
from campaigns.models import Campaign, Contact
from sending import csv_export
from sending.models import QueuedEmail
from sending.selection import CHUNK, Selection
from tests.factories import make_account, make_user
from tests.queue_rows import log, make_queue, queued

pytestmark = pytest.mark.django_db


def rows(client: Client, campaign: Campaign, **query: str) -> list[dict[str, str]]:
    response = client.get(reverse("admin:campaigns_campaign_export", args=[campaign.pk]), query)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_holds_everything_that_is_known(admin_client: Client) -> None:
    campaign, account = queued(), make_account()
    contact = Contact.objects.create(email="ann@example.com", name="Ann Lee")
    mail = make_queue(campaign, "failed", 1, account, attempts=2, contact=contact)[0]
    QueuedEmail.objects.filter(pk=mail.pk).update(email="ann@example.com")
    row = log(mail, "failed", account, code=550, enhanced_code="5.1.1", text="No such user")
    zone, at = timezone.get_current_timezone_name(), timezone.localtime(row.at)
    assert rows(admin_client, campaign) == [
        {
            "address": "ann@example.com",
            "name": "Ann Lee",
            "state": "Failed",
            "account": "a1@sender.example",
            f"time ({zone})": f"{at:%Y-%m-%d %H:%M:%S}",
            "attempts": "2",
            "code": "550",
            "enhanced code": "5.1.1",
            "last reply": "No such user",
            "note": "",
        }
    ]


def test_it_holds_what_the_filter_shows_and_no_other_campaign(admin_client: Client) -> None:
    campaign, account = queued(), make_account()
    failed = make_queue(campaign, "failed", 2, account)
    make_queue(campaign, "sent", 1, account)
    make_queue(queued("Other"), "failed", 1, account)
    log(failed[0], "failed", account)
    assert len(rows(admin_client, campaign)) == 3
    assert {row["address"] for row in rows(admin_client, campaign, state="failed")} == {
        mail.email for mail in failed
    }
    found = rows(admin_client, campaign, state="failed", reply="recipient-failed")
    assert [row["address"] for row in found] == [failed[0].email]
    assert len(rows(admin_client, campaign, q=failed[1].email)) == 1


@pytest.mark.parametrize(
    ("nasty", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd\\|' /C calc'!A0"),
        ("+1+cmd", "'+1+cmd"),
        ("-1+cmd", "'-1+cmd"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1+1", "'=1+1"),
        ("\r=1+1", "'=1+1"),
        ("\n=1+1", "'=1+1"),
        ("\r\n\t @x", "'@x"),
        ("＝1+1", "'＝1+1"),
        ("fine\r=1+1", "fine =1+1"),
        ('He said "=1", twice', 'He said "=1", twice'),
        ("Zoë 李", "Zoë 李"),
    ],
)
def test_no_cell_is_a_formula(admin_client: Client, nasty: str, cell: str) -> None:
    campaign, account = queued(), make_account()
    contact = Contact.objects.create(email="x@example.com", name=nasty)
    mail = make_queue(campaign, "failed", 1, account, contact=contact)[0]
    log(mail, "failed", account, text=nasty)
    (row,) = rows(admin_client, campaign)
    assert (row["name"], row["last reply"]) == (cell, cell)


def test_an_address_that_looks_like_a_formula_is_none(admin_client: Client) -> None:
    campaign = queued()
    mail = make_queue(campaign, "sent")[0]
    QueuedEmail.objects.filter(pk=mail.pk).update(email="=1+1@example.com")
    assert rows(admin_client, campaign)[0]["address"] == "'=1+1@example.com"


@pytest.fixture
def large() -> Campaign:
    campaign = queued("Large")
    fill = """
        INSERT INTO sending_queuedemail
            (campaign_id, email, status, attempts, message_id, last_reply, queued_at, finished_at)
        SELECT %s, 'p' || n || '@example.com', 'cancelled', 0, '', '', now(), now()
        FROM generate_series(1, %s) n"""
    with connection.cursor() as cursor:
        cursor.execute(fill, [campaign.pk, 5 * CHUNK + 3])
    return campaign


@pytest.mark.parametrize("state", ["", "cancelled"])
def test_every_row_comes_once_over_many_chunks(admin_client: Client, large: Campaign, state: str) -> None:
    addresses = [row["address"] for row in rows(admin_client, large, state=state)]
    assert len(addresses) == len(set(addresses)) == 5 * CHUNK + 3


def test_it_begins_with_the_first_rows_and_keeps_none(large: Campaign) -> None:
    lines = csv_export.lines(export.heading(), export.recipients(Selection(large.pk)))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        next(lines)
        next(lines)
    assert len(queries) == 2  # one chunk of rows and their attempts: the other chunks are not read yet
    tracemalloc.start()
    peaks = []
    for _piece in lines:
        peaks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    half = len(peaks) // 2
    assert max(peaks[half:]) < 1.2 * max(peaks[:half])


def test_it_takes_the_right_to_look_at_contacts_too(client: Client, large: Campaign) -> None:
    address = reverse("admin:campaigns_campaign_export", args=[large.pk])
    client.force_login(make_user("Viewer"))
    assert client.get(address).status_code == 200
    client.force_login(make_user(name="nobody"))
    assert client.get(address).status_code == 403
