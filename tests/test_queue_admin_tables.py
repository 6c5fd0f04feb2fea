"""The queue, the ledger, batches and heartbeats in the admin: to look at, quickly."""

import pytest
from django.contrib.admin import site
from django.db import connection
from django.db.models.functions import Now
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from sending.admin import QueuedEmailAdmin, mails_named, mails_to
from sending.models import Heartbeat, QueuedEmail, SendLog
from sending.paginator import MOST, FirstRowsPaginator
from tests.factories import make_account
from tests.queue_rows import make_queue, make_sent, queued

pytestmark = pytest.mark.django_db

TABLES = ("queuedemail", "sendlog", "batch", "heartbeat")


def listed(client, table, query=""):
    response = client.get(f"/admin/sending/{table}/{query}")
    assert response.status_code == 200, response.get("Location")
    return list(response.context_data["cl"].result_list)


@pytest.fixture
def rows():
    account, campaign = make_account(), queued()
    make_sent(campaign, account, 1)
    heartbeat = Heartbeat.objects.create(job="dispatch", at=Now(), host="h", duration=0, outcome="ok")
    log = SendLog.objects.get()
    return {"queuedemail": log.queued_email, "sendlog": log, "batch": log.batch, "heartbeat": heartbeat}


@pytest.mark.parametrize("table", TABLES)
def test_even_a_superuser_can_only_look(admin_client, rows, table):
    row = rows[table]
    page = admin_client.get(f"/admin/sending/{table}/{row.pk}/change/")
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert admin_client.get(f"/admin/sending/{table}/add/").status_code == 403
    assert (
        admin_client.post(f"/admin/sending/{table}/{row.pk}/change/", {"email": "x@y.example"}).status_code
        == 403
    )
    assert admin_client.post(f"/admin/sending/{table}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    selected = {"action": "delete_selected", "_selected_action": [row.pk]}
    admin_client.post(f"/admin/sending/{table}/", selected)
    assert type(row).objects.filter(pk=row.pk).exists()


def test_a_mail_shows_what_happened_to_it(admin_client, rows):
    page = admin_client.get(f"/admin/sending/queuedemail/{rows['queuedemail'].pk}/change/").content.decode()
    assert "Attempts" in page
    assert "250" in page


@pytest.mark.parametrize("table", ["queuedemail", "sendlog"])
def test_a_mail_is_found_by_its_address_in_any_case_and_by_its_message_id(admin_client, rows, table):
    make_sent(queued("Other"), make_account("a2"), 2)
    mail = rows["queuedemail"]
    for term in (mail.email, mail.email.upper(), mail.message_id, mail.message_id.strip("<>")):
        assert listed(admin_client, table, f"?q={term}") == [rows[table]]
    assert listed(admin_client, table, "?q=nobody@example.com") == []


def test_filters_choose_by_status_campaign_and_account(admin_client):
    one, two, account, other = queued("One"), queued("Two"), make_account("a"), make_account("b")
    mails = make_queue(one, "failed", 2, account)
    make_queue(one, "failed", 1, other)
    make_queue(two, "failed", 1, account)
    make_queue(one, "pending", 1)
    query = f"?status=failed&campaign={one.pk}&account={account.pk}"
    assert listed(admin_client, "queuedemail", query) == mails


def test_the_status_filter_counts_by_the_tally(admin_client):
    make_queue(queued(), "pending", 3)
    page = admin_client.get("/admin/sending/queuedemail/").content.decode()
    assert "Pending (3)" in page
    assert "Cancelled (" not in page


def test_the_ledger_is_filtered_by_outcome_and_account(admin_client, rows):
    assert listed(admin_client, "sendlog", "?outcome=sent") == [rows["sendlog"]]
    assert listed(admin_client, "sendlog", "?outcome=failed") == []
    assert listed(admin_client, "sendlog", f"?account={rows['sendlog'].account_id}") == [rows["sendlog"]]


@pytest.mark.parametrize("query", ["?account=x", "?campaign=%00", "?status=nonsense"])
def test_nonsense_in_the_address_bar_harms_nothing(admin_client, rows, query):
    response = admin_client.get(f"/admin/sending/queuedemail/{query}", follow=True)
    assert response.status_code == 200


def test_pages_end_at_the_first_rows_and_the_title_says_so(admin_client):
    campaign = queued()
    QueuedEmail.objects.bulk_create(
        QueuedEmail(campaign=campaign, email=f"person{n}@example.com") for n in range(MOST + 1)
    )
    assert FirstRowsPaginator(QueuedEmail.objects.order_by("id"), 50).count == MOST == 10_000
    assert "the first 10,000 that match" in admin_client.get("/admin/sending/queuedemail/").content.decode()


@pytest.mark.parametrize("table", ["queuedemail", "sendlog", "batch"])
def test_a_list_costs_the_same_number_of_queries_however_long_it_is(admin_client, rows, table):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            listed(admin_client, table)
        return len(queries)

    few = cost()
    make_sent(queued("Two"), make_account("b"), 10)
    assert cost() == few


@pytest.mark.parametrize("query", ["", "?status=pending", "?status=cancelled", "?status=failed"])
def test_no_list_counts_more_rows_than_it_pages_through(admin_client, rows, query):
    make_queue(queued("Two"), "pending", 1)
    with CaptureQueriesContext(connection) as queries:
        listed(admin_client, "queuedemail", query)
    counts = [q["sql"] for q in queries if "COUNT(" in q["sql"] and "sending_queuedemail" in q["sql"]]
    assert counts
    assert all("LIMIT 10000" in sql for sql in counts)


def listed_as(status):
    """The rows of a state as the queue's list asks for them."""
    request = RequestFactory().get("/", {"status": status})
    queue = QueuedEmailAdmin(QueuedEmail, site)
    return QueuedEmail.objects.filter(status=status).order_by(*queue.get_ordering(request))[:50]


@pytest.mark.parametrize(
    ("find", "index"),
    [
        (lambda: mails_to("person@example.com"), "sending_queuedemail_once_a_campaign"),
        (lambda: mails_named("<x@y.example>"), "sending_q_message_id"),
        (lambda: listed_as("pending"), "sending_q_pending"),
        (lambda: listed_as("failed"), "sending_q_failed"),
        (lambda: listed_as("cancelled"), "sending_q_dropped"),
        (lambda: SendLog.objects.filter(outcome="failed").order_by("-id"), "sending_sendlog_trouble"),
    ],
)
def test_look_ups_use_an_index(find, index):
    queued("One")
    queued("Two")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    assert index in find().explain()
