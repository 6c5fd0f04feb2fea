"""One dispatch loop in a cluster; whatever is killed or away, the next pulse goes on."""

import os
import signal
import threading
from collections import Counter
from uuid import uuid4

import psutil
import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ, Schedule

from campaigns import actions
from config.demo.smtp_server import LocalSmtpServer
from config.processes import has_ended
from sending import drain, jobs, loops
from sending.dispatch import dispatch
from sending.models import Batch, Heartbeat, QueuedEmail
from tests.cluster import closed_database, wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance, pytest.mark.timeout(120)]


@pytest.fixture
def server():
    with LocalSmtpServer({"one": "secret1"}) as server:
        yield server


@pytest.fixture
def other_process():
    """A child that loops until it is killed; yields its process id."""
    loops.share()
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        with loops.only_one("dispatch") as loops_here:
            os.write(tell, b"y" if loops_here else b"n")
            signal.pause()
    assert os.read(ready, 1) == b"y"
    yield child
    for pipe in (ready, tell):
        os.close(pipe)


def end(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def queue(count, *, port, limit=1000):
    make_account("one", port=port, username="one", password="secret1", daily_limit=limit)
    actions.queue_campaign(make_campaign(make_list(count)))


def states():
    return Counter(QueuedEmail.objects.values_list("status", flat=True))


def working_on(cluster, *functions):
    """The workers that are at one of these functions of sending.jobs now."""
    found = []
    for process in psutil.Process(cluster.process.pid).children(recursive=True):
        title = " ".join(process.cmdline())
        found += [process for name in functions if title.endswith(f"'sending.jobs.{name}'")]
    return found


def test_only_one_process_loops_until_it_is_killed(other_process):
    with loops.only_one("dispatch") as loops_here:
        assert not loops_here
    with loops.only_one("retry") as loops_here:
        assert loops_here
    end(other_process)
    with loops.only_one("dispatch") as loops_here:
        assert loops_here


def test_where_another_process_loops_a_wake_up_looks_once_and_goes(other_process):
    set_pace(batch_interval=1)
    queue(5, port=1, limit=2)
    dispatch()  # all that may go out today; the rest waits, so that a loop would go on
    with CaptureQueriesContext(connection) as captured:
        jobs.dispatch()
    end(other_process)
    assert sum("pg_try_advisory_xact_lock" in query["sql"] for query in captured) == 1


def test_when_the_worker_that_dispatches_is_killed_the_next_pulse_dispatches(server, start_cluster):
    set_pace(batch_size=2, batch_interval=0.5, retry_interval=300)
    queue(40, port=server.port)
    cluster = start_cluster(WORKERS="3", WATCHDOG_AFTER="4", BATCH_LEASE="2", CLUSTER="one")
    wait_for(lambda: len(server.received) >= 4)
    Schedule.objects.all().delete()
    for _ in range(2):
        before = len(server.received)
        wait_for(lambda: working_on(cluster, "dispatch", "pulse"), what="a worker that dispatches")
        killed = working_on(cluster, "dispatch", "pulse")
        OrmQ.objects.filter(lock=None).delete()
        for worker in killed:
            worker.kill()
        wait_for(lambda n=before: len(server.received) >= n + 6, what="more mails")
    wait_for(lambda: states()["sent"] + states()["uncertain"] == 40, what="all sent")


def test_a_loop_goes_on_past_a_database_that_is_away(monkeypatch, caplog):
    monkeypatch.setattr(drain, "stopping", threading.Event())
    set_pace(batch_size=5, batch_interval=0.5)
    queue(60, port=1)
    loop = threading.Thread(target=jobs.dispatch)
    loop.start()
    wait_for(lambda: Batch.objects.count() == 1)
    with closed_database():
        wait_for(lambda: "The job dispatch waits for the database" in caplog.text)
    Batch.objects.update(started=Now(), token=uuid4(), finished=Now())  # its lane is free
    wait_for(lambda: Batch.objects.count() == 2)
    drain.stopping.set()
    loop.join(30)
    assert not loop.is_alive()


@pytest.mark.parametrize("is_idle", [True, False])
def test_a_worker_that_is_told_to_end_alone_is_replaced(is_idle, server, start_cluster):
    """Its cluster goes on: it must not take batch after batch only to give them back."""
    set_pace(batch_size=20, batch_interval=0.2, delay=0.02, retry_interval=300)
    if not is_idle:
        queue(60, port=server.port)
    cluster = start_cluster(WORKERS="1", WATCHDOG_AFTER="4", CLUSTER="one")
    if is_idle:
        wait_for(lambda: Heartbeat.objects.filter(job="pulse").exists() and not OrmQ.objects.exists())
    else:
        wait_for(lambda: len(server.received) >= 3)
    sentinel = psutil.Process(cluster.process.pid).children()[0]
    worker = next(p for p in sentinel.children() if not p.cmdline()[0].endswith(("monitor", "pusher")))
    worker.terminate()
    wait_for(lambda: has_ended(worker), what="its end")
    if is_idle:
        queue(60, port=server.port)
    wait_for(lambda: states() == {"sent": 60}, what="all sent")
    assert not Batch.objects.filter(finished=None).exists()
    assert set(Counter(message.rcpt for message in server.received).values()) == {1}
