"""A real watchdog over a real qcluster: whatever is killed, sending goes on, once and whole."""

from collections import Counter
from datetime import timedelta

import psutil
import pytest
from django_q.models import OrmQ

from accounts.clock import database_now
from campaigns import actions
from config.demo.smtp_server import LocalSmtpServer
from config.processes import has_ended
from sending.health import last_pulse
from sending.models import Batch, Heartbeat, QueuedEmail
from tests.cluster import closed_database, family, hung_database, wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance, pytest.mark.timeout(120)]

QUICK = {"WORKERS": "3", "WATCHDOG_AFTER": "8", "BATCH_LEASE": "5", "CLUSTER": "one"}
CALM = {"retry_interval": 300}  # else the retry job fills its turn, and a worker is never idle


@pytest.fixture
def server():
    with LocalSmtpServer({"one": "secret1"}) as server:
        yield server


@pytest.fixture
def watchdog(start_cluster):
    return start_cluster("watchdog", **QUICK)


def queue(server, count, *, limit=1000):
    make_account("one", port=server.port, username="one", password="secret1", daily_limit=limit)
    actions.queue_campaign(make_campaign(make_list(count)))


def states():
    return Counter(QueuedEmail.objects.values_list("status", flat=True))


def assert_each_once(server, count):
    assert Counter(message.rcpt for message in list(server.received)) == Counter(
        f"person{n}@example.com" for n in range(1, count + 1)
    )


def busy(server, watchdog, count=40, **pace):
    """The cluster's processes, main process first, in the middle of a batch of so many mails."""
    set_pace(**{**CALM, "batch_size": 40, **pace})
    queue(server, count)
    main = main_of(watchdog)
    processes = [main, *family(main)]
    wait_for(lambda: len(server.received) >= 3)
    return processes


def main_of(watchdog, other_than=None):
    """The main process of the watchdog's cluster, another one than that."""
    found = []

    def look():
        found[:] = [one for one in [watchdog.main()] if one and one != other_than]
        return found

    wait_for(look, what="a cluster")
    return found[0]


def is_idle():
    return Heartbeat.objects.filter(job="dispatch").exists() and not OrmQ.objects.exists()


def test_a_cluster_wedged_by_a_killed_idle_worker_is_started_anew_and_sends(server, watchdog):
    set_pace(**CALM, batch_size=10)
    main = main_of(watchdog)
    workers = family(main)[1:4]
    wait_for(is_idle)
    for worker in workers:  # one of them holds the lock of the inner queue
        worker.kill()
    queue(server, 20)
    wait_for(lambda: states() == {"sent": 20}, what="20 sent")
    assert "started anew: its workers take no work" in watchdog.log
    assert_each_once(server, 20)
    assert main_of(watchdog) != main
    wait_for(lambda: all(has_ended(worker) for worker in [main, *workers]))


@pytest.mark.parametrize("whom", ["main", "sentinel"])
def test_a_killed_head_leaves_no_orphans_and_sending_goes_on(whom, server, watchdog):
    main, *others = busy(server, watchdog, delay=0.05)
    {"main": main, "sentinel": others[0]}[whom].kill()
    wait_for(lambda: all(has_ended(process) for process in [main, *others]), what="no orphans")
    wait_for(lambda: states() == {"sent": 40}, what="40 sent")
    assert_each_once(server, 40)
    assert main_of(watchdog, other_than=main)


def test_a_cluster_ends_in_order_when_its_watchdog_is_killed(server, watchdog):
    main, *others = busy(server, watchdog, delay=0.1)
    watchdog.process.kill()
    wait_for(lambda: all(has_ended(process) for process in [main, *others]), what="no orphans")
    assert set(states()) == {"sent", "pending"}
    assert states()["sent"] == len(server.received)


def test_a_frozen_cluster_is_killed_and_another_one_finishes_its_work(server, watchdog):
    main, *others = busy(server, watchdog, count=30, batch_size=10, delay=0.05)
    for process in [main, *others]:
        process.suspend()
    wait_for(lambda: states()["sent"] + states()["uncertain"] == 30, what="all sent or uncertain")
    assert states()["uncertain"] <= 1
    assert all(count == 1 for count in Counter(message.rcpt for message in server.received).values())
    assert all(has_ended(process) for process in [main, *others])


def test_the_watchdog_itself_settles_what_a_frozen_cluster_holds(server, start_cluster):
    """It need not be started anew first: that takes as long as the watchdog is patient."""
    set_pace(**CALM, batch_size=10, delay=0.05)
    queue(server, 30)
    watchdog = start_cluster("watchdog", **{**QUICK, "WATCHDOG_AFTER": "1000", "BATCH_LEASE": "2"})
    main = main_of(watchdog)
    others = family(main)
    wait_for(lambda: len(server.received) >= 3)
    for process in [main, *others]:
        process.suspend()
    wait_for(lambda: not Batch.objects.filter(finished=None).exists(), what="no open batch")
    assert states()["sending"] == 0
    assert states()["uncertain"] <= 1
    assert main_of(watchdog) == main
    assert "anew" not in watchdog.log


def test_a_cluster_that_only_waits_is_left_alone(server, start_cluster):
    set_pace(**CALM, batch_interval=0.1)
    queue(server, 10, limit=3)
    watchdog = start_cluster("watchdog", **{**QUICK, "STUCK_AFTER": "1"})
    wait_for(lambda: states() == {"sent": 3, "pending": 7})
    main, since = main_of(watchdog), last_pulse("one")
    wait_for(lambda: last_pulse("one") > since + timedelta(seconds=6), what="pulses of 6 seconds")
    assert main_of(watchdog) == main
    assert "anew" not in watchdog.log


def test_no_restart_while_the_database_is_away_and_none_afterwards(server, watchdog):
    set_pace(**CALM)
    main = main_of(watchdog)
    wait_for(is_idle)
    with closed_database():
        wait_for(lambda: watchdog.log.count("can't ask the database") > 9)  # more than WATCHDOG_AFTER
    queue(server, 5)
    wait_for(lambda: states() == {"sent": 5}, what="5 sent")
    assert main_of(watchdog) == main
    assert "anew" not in watchdog.log


def test_no_restart_where_the_database_hung_for_long(server, watchdog):
    set_pace(**CALM)
    main = main_of(watchdog)
    wait_for(is_idle)
    since = last_pulse("one")
    with hung_database():
        wait_for(lambda: database_now() > since + timedelta(seconds=20), what="more than WATCHDOG_AFTER")
    queue(server, 5)
    wait_for(lambda: states() == {"sent": 5}, what="5 sent")
    assert "took long to answer" in watchdog.log
    assert main_of(watchdog) == main
    assert "anew" not in watchdog.log


def test_sigterm_to_the_watchdog_ends_the_cluster_in_order(server, watchdog):
    main, *others = busy(server, watchdog, delay=0.1)
    watchdog.process.terminate()
    assert watchdog.process.wait(30) == 0
    assert all(has_ended(process) for process in [main, *others])
    assert set(states()) == {"sent", "pending"}
    assert not psutil.pid_exists(main.pid)
