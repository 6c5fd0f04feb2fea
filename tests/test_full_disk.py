"""PostgreSQL's disk is full in the midst of a campaign: nothing goes out that can't be recorded."""

import os
import subprocess
from collections import Counter
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pytest

from campaigns import actions
from config import embedded_postgres
from config.chaos.database import patiently
from config.demo.smtp_server import LocalSmtpServer
from config.processes import database_url
from sending.models import QueuedEmail
from tests.batches import assert_nothing_lost_or_doubled
from tests.cluster import another_server, wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance, pytest.mark.timeout(180)]

MAILS = 400
SIZE = 160  # megabytes
MEGABYTE = 1_000_000


@pytest.fixture
def disk():
    """A file system of its own, for one server."""
    folder = Path(mkdtemp(prefix="batchwise-disk-")).resolve()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(folder)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        folder.rmdir()
        pytest.skip("a disk of its own can't be mounted here: that takes root, and a container that may")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    rmtree(folder)


@pytest.fixture
def own_server(disk, transactional_db):
    """A server on that disk, with the test's database."""
    data = disk / "data"
    with another_server(embedded_postgres.start(data)["HOST"]):
        yield data
    embedded_postgres.stop(data, "immediate")


def fill(disk: Path) -> Path:
    """Takes all that is left of the disk; returns the file that has it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for piece in (MEGABYTE, 1000, 1):
            try:
                while file.write(bytes(piece)) == piece:
                    pass
            except OSError:
                continue
    return ballast


def test_what_cannot_be_recorded_is_not_sent_and_with_room_again_all_goes_on(disk, own_server, start_cluster):
    with LocalSmtpServer({"one": "secret1"}) as server:
        set_pace(batch_size=100, batch_interval=0.2, delay=0.01)
        make_account("one", port=server.port, username="one", password="secret1", daily_limit=1000)
        actions.queue_campaign(make_campaign(make_list(MAILS)))
        cluster = start_cluster("watchdog", DATABASE_URL=database_url(), WORKERS="3", BATCH_LEASE="6")
        wait_for(lambda: len(server.received) >= 10, what="ten mails")
        ballast = fill(disk)
        wait_for(lambda: "The database is away" in cluster.log, what="a ledger row that finds no room")
        accepted = len(server.received)
        assert accepted < MAILS
        wait_for(lambda: cluster.log.count("The database is away") >= 5, what="more tries to record it")
        assert len(server.received) == accepted
        ballast.unlink()
        embedded_postgres.start(own_server)  # as its service manager does, where it ended for want of room

        def is_over() -> bool:
            found = patiently(lambda: Counter(QueuedEmail.objects.values_list("status", flat=True)))
            return set(found) <= {"sent", "uncertain"}

        wait_for(is_over, timeout=100)
        assert_nothing_lost_or_doubled(server)
