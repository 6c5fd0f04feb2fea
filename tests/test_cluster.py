"""A real qcluster sends through a real SMTP server, and is killed while it does."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from campaigns import actions
from config.demo.smtp_server import LocalSmtpServer
from sending import schedules
from sending.models import Batch, Heartbeat, QueuedEmail, SendLog
from tests.batches import assert_nothing_lost_or_doubled
from tests.cluster import wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance, pytest.mark.timeout(180)]


@pytest.fixture
def server():
    with LocalSmtpServer({"one": "secret1", "two": "secret2"}) as server:
        yield server


def queue(server, count, *, limit=1000):
    for n, name in enumerate(("one", "two"), start=1):
        make_account(name, port=server.port, username=name, password=f"secret{n}", daily_limit=limit)
    actions.queue_campaign(make_campaign(make_list(count)))


def states():
    return Counter(QueuedEmail.objects.values_list("status", flat=True))


def test_a_campaign_is_sent_from_queue_to_last_mail(server, start_cluster):
    set_pace(batch_size=25, batch_interval=0.5)
    queue(server, 60)
    cluster = start_cluster()
    wait_for(lambda: states() == {"sent": 60})
    assert_nothing_lost_or_doubled(server)
    wait_for(lambda: "Batch sent: 10 emails, 0 failures. Queue remaining: 0" in cluster.log)
    assert "Email scheduler started" in cluster.log
    assert "secret" not in cluster.log
    assert "@example.com" not in cluster.log


def test_killing_the_whole_cluster_at_any_moment_loses_nothing_and_repeats_nothing(server, start_cluster):
    set_pace(batch_size=20, batch_interval=0.2, delay=0.02)
    queue(server, 150)
    for kill_after in (5, 30, 55, 80):
        cluster = start_cluster(BATCH_LEASE="2")
        wait_for(lambda n=kill_after: len(server.received) >= n, what=f"{kill_after} mails")
        cluster.kill_group()
    start_cluster(BATCH_LEASE="2")
    wait_for(lambda: set(states()) <= {"sent", "uncertain"}, timeout=100)
    assert_nothing_lost_or_doubled(server)
    assert states()["uncertain"] <= 4  # one a kill: one lane was sending


def test_two_clusters_share_the_work_and_keep_the_pace_and_the_limits(server, start_cluster):
    set_pace(batch_size=10, batch_interval=1)
    queue(server, 90, limit=30)
    start_cluster()
    start_cluster()
    wait_for(lambda: states() == {"sent": 60, "pending": 30})
    assert_nothing_lost_or_doubled(server)
    assert Counter(message.login for message in server.received) == {"one": 30, "two": 30}
    begun = list(Batch.objects.order_by("created").values_list("created", flat=True))
    gaps = [(after - before).total_seconds() for before, after in pairwise(begun)]
    assert min(gaps) >= 1
    assert max(Batch.objects.values_list("size", flat=True)) == 10


def test_sigterm_finishes_the_mail_in_hand_and_gives_the_rest_back(server, start_cluster):
    set_pace(batch_size=100, batch_interval=1, delay=0.2)
    queue(server, 100)
    cluster = start_cluster()
    wait_for(lambda: len(server.received) >= 3)
    cluster.terminate_group()
    assert set(states()) == {"sent", "pending"}
    assert states()["sent"] == len(server.received) == SendLog.objects.filter(outcome="sent").count()
    assert Batch.objects.filter(finished=None).count() == 0


def test_a_schedule_that_a_wrong_clock_put_far_ahead_comes_back(transactional_db):
    schedules.sync()
    Schedule.objects.update(next_run=timezone.now() + timedelta(days=3650))
    schedules.sync()
    assert not Schedule.objects.filter(next_run__gt=timezone.now() + timedelta(seconds=5)).exists()


def test_a_schedule_that_a_wrong_clock_puts_far_ahead_comes_back_while_the_cluster_runs(start_cluster):
    start_cluster(WATCHDOG_AFTER="2")
    wait_for(lambda: Heartbeat.objects.filter(job="pulse").exists())
    far_ahead = timezone.now() + timedelta(days=3)
    Schedule.objects.update(next_run=far_ahead)
    wait_for(lambda: not Schedule.objects.filter(next_run=far_ahead).exists())


def test_schedules_are_synced_and_a_cluster_dispatches_at_once(server, start_cluster):
    Schedule.objects.all().delete()
    Schedule.objects.create(name="old", func="sending.jobs.gone", schedule_type="O")
    queue(server, 1)
    start_cluster()
    wait_for(lambda: states() == {"sent": 1}, timeout=25)
    assert set(Schedule.objects.values_list("name", flat=True)) == set(schedules.SCHEDULES)
    wait_for(lambda: not OrmQ.objects.exists())
