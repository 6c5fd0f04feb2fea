"""The power goes in the midst of a campaign: what was synced is all that anybody remembers."""

from collections import Counter

import pytest
from django.db import connection

from campaigns import actions
from config.chaos.database import patiently
from config.demo.smtp_server import LocalSmtpServer
from config.processes import database_url
from sending.models import QueuedEmail
from tests.batches import assert_nothing_lost_or_doubled
from tests.cluster import wait_for
from tests.disks import MortalDisk
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance, pytest.mark.timeout(240)]

MAILS, CUTS = 240, 3
USERS = {f"sender{n}": f"secret{n}" for n in range(4)}
LEASE = "6"  # seconds


@pytest.fixture
def disk(transactional_db):
    """With the test's database on it."""
    with MortalDisk.mounted(megabytes=400) as disk, disk.server():
        yield disk


@pytest.mark.parametrize("is_host_of_all", [True, False], ids=["of all", "of the database alone"])
def test_a_host_that_loses_its_power_again_and_again_loses_no_mail_and_sends_none_twice(
    is_host_of_all, disk, start_cluster
):
    def start():
        return start_cluster("watchdog", DATABASE_URL=database_url(), WORKERS="4", BATCH_LEASE=LEASE)

    with LocalSmtpServer(USERS) as server:
        set_pace(batch_size=20, batch_interval=0.2, delay=0.02, scope="account")
        for name, password in USERS.items():
            make_account(name, port=server.port, username=name, password=password, daily_limit=1000)
        actions.queue_campaign(make_campaign(make_list(MAILS)))
        cluster = start()
        for cut in range(CUTS):
            mails = len(server.received) + 30
            wait_for(lambda mails=mails: len(server.received) >= mails, what=f"mails before cut {cut}")
            connection.close()
            disk.cut_power()
            if is_host_of_all:
                cluster.kill_tree()
            disk.power_up()
            if is_host_of_all:
                cluster = start()
        wait_for(is_over, timeout=100)
        assert_nothing_lost_or_doubled(server)


def is_over() -> bool:
    found = patiently(lambda: Counter(QueuedEmail.objects.values_list("status", flat=True)))
    return sum(found.values()) == MAILS and set(found) <= {"sent", "uncertain"}
