"""PostgreSQL's disk is full in the midst of a campaign: nothing goes out that can't be recorded."""

from collections import Counter

import pytest

from campaigns import actions
from config import embedded_postgres
from config.chaos.database import patiently
from config.demo.smtp_server import LocalSmtpServer
from config.processes import database_url
from sending.models import QueuedEmail
from tests.batches import assert_nothing_lost_or_doubled
from tests.cluster import wait_for
from tests.disks import SmallDisk
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance, pytest.mark.timeout(180)]

MAILS = 400


@pytest.fixture
def disk(transactional_db):
    """With the test's database on it."""
    with SmallDisk.mounted(megabytes=160) as disk, disk.server():
        yield disk


def test_what_cannot_be_recorded_is_not_sent_and_with_room_again_all_goes_on(disk, start_cluster):
    with LocalSmtpServer({"one": "secret1"}) as server:
        set_pace(batch_size=100, batch_interval=0.2, delay=0.01)
        make_account("one", port=server.port, username="one", password="secret1", daily_limit=1000)
        actions.queue_campaign(make_campaign(make_list(MAILS)))
        cluster = start_cluster("watchdog", DATABASE_URL=database_url(), WORKERS="3", BATCH_LEASE="6")
        wait_for(lambda: len(server.received) >= 10, what="ten mails")
        ballast = disk.fill()
        wait_for(lambda: "The database is away" in cluster.log, what="a ledger row that finds no room")
        accepted = len(server.received)
        assert accepted < MAILS
        wait_for(lambda: cluster.log.count("The database is away") >= 5, what="more tries to record it")
        assert len(server.received) == accepted
        ballast.unlink()
        embedded_postgres.start(disk.data)  # as its service manager does, where it ended for want of room

        def is_over() -> bool:
            found = patiently(lambda: Counter(QueuedEmail.objects.values_list("status", flat=True)))
            return set(found) <= {"sent", "uncertain"}

        wait_for(is_over, timeout=100)
        assert_nothing_lost_or_doubled(server)
