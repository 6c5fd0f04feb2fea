"""A primary that dies or is demoted in the midst of a campaign: its synchronous standby takes over."""

import json
import threading
import urllib.request
from collections import Counter
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryFile, mkdtemp
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
from django.db import close_old_connections, connection

from campaigns import actions
from config import embedded_postgres, standby
from config.chaos.database import patiently
from config.demo.processes import free_port
from config.demo.smtp_server import LocalSmtpServer
from config.embedded_postgres import DATABASE, SUPERUSER
from config.processes import launch
from config.standby import Pair, ask, cut_power
from sending.models import QueuedEmail, SendLog
from tests.batches import accounts_at, assert_nothing_lost_or_doubled, people, received, send
from tests.batches import states as states_in_order
from tests.cluster import another_server, wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace
from tests.silent_network import SilentNetwork

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.acceptance, pytest.mark.timeout(180)]

MAILS = 60
WAIT_FOR_STANDBY = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
RECORDED = "SELECT count(*) FROM sending_sendlog"
LEASE = 6  # seconds
LEASE_IS_HALF_OVER = f"""
SELECT bool_or(lease < now() + interval '{LEASE / 2} s') FROM sending_batch WHERE finished IS NULL
"""


@pytest.fixture(scope="module")
def servers():
    """A primary and its standby, for all tests here."""
    folder = Path(mkdtemp(prefix="batchwise-test-")).resolve()
    pair = Pair(folder / "one", folder / "two")
    yield pair, pair.start()
    pair.stop()
    rmtree(folder)


@pytest.fixture
def pair(servers, transactional_db):
    """The same; the test's database, empty, is on them, and the old primary follows the new one again."""
    pair, hosts = servers
    if not pair.is_followed():
        pair.follow()
    with another_server(hosts):
        yield pair


@pytest.fixture
def network(pair):
    """Between us and the primary."""
    with SilentNetwork.to(f"{host_of(pair.primary)}/.s.PGSQL.5432") as network:
        yield network


@pytest.fixture
def url(servers, request):
    """DATABASE_URL as docs/running.md has it: hosts separated by commas."""
    hosts = servers[1].split(",")
    if "network" in request.fixturenames:
        pair, network = (request.getfixturevalue(name) for name in ("pair", "network"))
        hosts = [network.host, host_of(pair.standby)]
    return f"postgres://{SUPERUSER}@{','.join(quote(host, safe='') for host in hosts)}/{DATABASE}"


def host_of(data):
    return embedded_postgres.start(data)["HOST"]


@pytest.fixture
def server():
    with LocalSmtpServer({"one": "secret1"}) as server:
        yield server


@pytest.fixture
def healthz(url):
    """healthz() asks a real web server: the answer's status."""
    port = free_port(0)
    environment = {"DATABASE_URL": url, "BIND": f"127.0.0.1:{port}", "WEB_WORKERS": "1"}
    with TemporaryFile() as log:
        command = ("-m", "gunicorn", "--config", "config/gunicorn.py", "config.wsgi")
        web = launch(*command, log=log, **environment)

        def ask_web():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
                    return answer.status, json.load(answer)["database"]
            except HTTPError as error:
                return error.code, json.load(error)["database"]
            except OSError:  # it does not listen yet
                return 0, False

        yield ask_web
        web.terminate()
        web.wait(30)


def begin(server, start_cluster, url):
    """Has a campaign under way: a cluster under its watchdog is in the midst of a batch."""
    set_pace(batch_size=20, batch_interval=0.2, delay=0.05)
    make_account("one", port=server.port, username="one", password="secret1")
    actions.queue_campaign(make_campaign(make_list(MAILS)))
    knobs = {"WORKERS": "3", "BATCH_LEASE": str(LEASE), "WATCHDOG_AFTER": "20"}
    start_cluster("watchdog", DATABASE_URL=url, **knobs)
    wait_for(lambda: len(server.received) >= 10, what="ten mails")


def states():
    return Counter(QueuedEmail.objects.values_list("status", flat=True))


def is_over():
    close_old_connections()  # as Django does when a request, and django-q2 when a job begins
    found = patiently(states)
    return sum(found.values()) == MAILS and set(found) <= {"sent", "uncertain"}


def die(pair):
    cut_power(pair.primary)


def become_read_only(pair):
    """Demoted under its open sessions."""
    standby.configure(pair.primary, default_transaction_read_only="on")


@pytest.mark.parametrize("fall", [die, become_read_only])
def test_a_campaign_goes_on_at_the_standby_nothing_lost_and_nothing_twice(
    fall, server, pair, url, healthz, start_cluster
):
    begin(server, start_cluster, url)
    wait_for(lambda: healthz() == (200, True), what="the web server")
    fall(pair)
    # Sooner than CONN_MAX_AGE would have its connections opened anew.
    wait_for(lambda: healthz() == (503, False), timeout=20, what="the web server notices")
    pair.promote()
    wait_for(is_over)
    assert_nothing_lost_or_doubled(server)
    wait_for(lambda: healthz() == (200, True), what="the web server at the new primary")


def test_a_primary_whose_network_falls_silent_is_given_up_for_its_standby(
    server, pair, network, url, healthz, start_cluster
):
    """No connection is refused or ended. The primary lives on, but nobody hears of it."""
    begin(server, start_cluster, url)
    wait_for(lambda: healthz() == (200, True), what="the web server")
    network.fall_silent()
    pair.promote()
    connection.close()
    connection.settings_dict["HOST"] = host_of(pair.primary)  # this test hears the old one, too
    wait_for(is_over)
    assert_nothing_lost_or_doubled(server)
    assert set(QueuedEmail.objects.values_list("attempts", flat=True)) == {1}  # the wait cost none
    wait_for(lambda: healthz() == (200, True), what="the web server at the new primary")


def test_a_primary_that_lives_on_without_its_standby_lets_no_mail_out(server, pair, url, start_cluster):
    """Split brain: the standby was promoted, but the cluster is still connected to the old primary."""
    begin(server, start_cluster, url)
    old = pair.primary
    pair.promote()
    wait_for(lambda: ask(old, WAIT_FOR_STANDBY) >= 2, what="worker and dispatcher wait for the standby")
    accepted = len(server.received)
    wait_for(lambda: ask(old, LEASE_IS_HALF_OVER), what="time for many mails")
    assert len(server.received) == accepted
    assert ask(old, RECORDED) == ask(pair.primary, RECORDED) >= accepted - 1
    cut_power(old)  # fenced at last: now all come to the new primary
    wait_for(is_over)
    assert_nothing_lost_or_doubled(server)
    assert SendLog.objects.filter(outcome="sent").count() >= MAILS - states()["uncertain"]


def test_a_worker_whose_server_becomes_read_only_holds_the_next_mail_until_another_is_promoted(
    smtp_server, pair, caplog
):
    sent_while_away, recorded = [], []

    def take_over():
        wait_for(lambda: "The database is away" in caplog.text)
        sent_while_away.extend(received(smtp_server))
        recorded.append(ask(pair.primary, RECORDED))
        pair.promote()

    taking_over = threading.Thread(target=take_over)

    def script(phase, login, rcpt):
        if (phase, rcpt) == ("dot", "person2@example.com"):
            become_read_only(pair)
            taking_over.start()

    smtp_server.script = script
    set_pace(batch_size=20)
    accounts_at(smtp_server, "one")
    send(20)
    taking_over.join()
    # A session takes new settings in between two statements: it may have recorded the second one before.
    assert len(sent_while_away) == recorded[0] + 1 < 20
    assert received(smtp_server) == people(*range(1, 21))
    assert states_in_order() == ["sent"] * 20
