"""Long work in a real cluster: it never keeps mail waiting, and what a dead worker left is done once."""

import io

import pytest
from django.db import connection, transaction

from campaigns import actions, import_actions
from campaigns.models import Campaign, Import, Queueing
from config.demo.smtp_server import LocalSmtpServer
from sending.models import QueuedEmail
from tests.cluster import wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance]
IMPORT_LOCK = 0x696D706F7274  # an import takes it before it writes


def is_waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_a_cluster_of_one_worker_sends_while_an_import_is_at_work(start_cluster):
    set_pace()
    imported = import_actions.upload(io.BytesIO(b"email\nanna@example.com\n"), "a.csv", list_name="New")
    import_actions.choose_columns(imported, ["email"])
    Import.objects.update(state="importing")
    with LocalSmtpServer({"one": "secret"}) as server, connection.cursor() as cursor:
        make_account("one", port=server.port, username="one", password="secret")
        cursor.execute("SELECT pg_advisory_lock(%s)", [IMPORT_LOCK])
        start_cluster(WORKERS="1")
        wait_for(is_waiting_for_a_lock, what="an import that is held up")

        actions.queue_campaign(make_campaign(make_list(3)))

        wait_for(lambda: QueuedEmail.objects.filter(status="sent").count() == 3, what="sent mail")
        held_up = Import.objects.get()
        assert (held_up.state, held_up.slot) == ("importing", 1)
        cursor.execute("SELECT pg_advisory_unlock(%s)", [IMPORT_LOCK])
        wait_for(lambda: Import.objects.get().state == "done", what="the import")


def test_what_a_killed_cluster_was_queueing_the_next_one_queues_once(start_cluster, settings):
    settings.QUEUE_AT_ONCE = 10
    campaign = make_campaign(make_list(50))
    actions.send_campaign(campaign)
    first = start_cluster()
    with transaction.atomic():
        Campaign.objects.select_for_update().get()
        wait_for(is_waiting_for_a_lock, what="a worker in the midst of it")
        first.kill_tree()
    assert Queueing.objects.get().state == "working"
    assert not QueuedEmail.objects.exists()

    start_cluster()

    wait_for(lambda: Queueing.objects.get().state == "done", timeout=110, what="the queueing")
    assert Campaign.objects.get().status == "sending"
    assert QueuedEmail.objects.filter(campaign=campaign).count() == 50
