"""/healthz and `watchdog --once`: whether sending is well, in one look."""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import SmtpAccount
from campaigns import actions
from campaigns.models import Campaign
from config.demo.processes import free_port
from config.processes import database_url
from sending import health, jobs
from sending.models import Batch, Heartbeat, SendLog
from sending.sender import send_batch
from sending.status import queue_status
from tests.batches import claim, queue, states
from tests.cluster import ROOT
from tests.factories import make_account
from tests.queue_rows import beat, make_queue, make_sent, queued

pytestmark = pytest.mark.django_db

WELL = {"web": True, "database": True, "sending": True, "stuck": False}
AN_HOUR = timedelta(hours=1)


def ask(client):
    answer = client.get("/healthz")
    told = answer.json()
    told.pop("heartbeat_age")
    return answer.status_code, told


def due_for(age, **fields):
    """A campaign with pending mail, queued this long ago."""
    campaign = queued(queued_at=timezone.now() - age, **fields)
    make_queue(campaign, count=3)
    return campaign


def test_it_answers_200_without_a_log_in_while_the_dispatcher_lives(client):
    beat(timedelta(seconds=20))
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert 19 <= answer.json()["heartbeat_age"] < 60
    assert ask(client) == (200, WELL)


def test_it_answers_503_where_no_worker_has_ever_reported(client):
    assert client.get("/healthz").json()["heartbeat_age"] is None
    assert ask(client) == (503, {**WELL, "sending": False})


@pytest.mark.parametrize(("age", "outcome"), [(100, "ok"), (0, "failed: KeyError")])
def test_it_answers_503_when_the_dispatcher_is_silent_or_fails(age, outcome, client):
    beat(timedelta(seconds=age), outcome)
    assert ask(client) == (503, {**WELL, "sending": False})


def test_one_living_cluster_is_enough(client):
    beat(AN_HOUR)
    Heartbeat.objects.create(job="dispatch", host="mail-2", at=timezone.now(), duration=0, outcome="ok")
    assert ask(client) == (200, WELL)


def test_workers_that_are_all_busy_sending_prove_life(client):
    beat(AN_HOUR)
    Heartbeat.objects.create(job="send_batch", host="m", at=timezone.now(), duration=0, outcome="at work")
    assert ask(client) == (200, WELL)


def seen_for_a_minute():
    """The recover job looks each minute, and remembers."""
    health.note_stuck()
    Heartbeat.objects.filter(job="stuck").update(at=timezone.now() - timedelta(minutes=1))
    health.note_stuck()


def test_mail_that_is_due_and_lies_still_for_a_while_is_a_wedge_until_it_moves(client):
    beat()
    account = make_account()
    due = due_for(AN_HOUR)
    assert ask(client) == (200, WELL)
    health.note_stuck()
    assert ask(client) == (200, WELL)
    seen_for_a_minute()
    assert ask(client) == (503, {**WELL, "stuck": True})
    assert queue_status()["waiting"] == "3 waiting: sending is stuck: the log on the server says more"
    make_sent(due, account, 1)
    assert ask(client) == (200, WELL)
    health.note_stuck()
    assert "stuck" not in queue_status()["waiting"]


def test_the_recover_job_sees_a_wedge(client):
    beat()
    make_account()
    due_for(AN_HOUR)
    jobs.recover()
    Heartbeat.objects.filter(job="stuck").update(at=timezone.now() - timedelta(minutes=1))
    assert ask(client) == (503, {**WELL, "stuck": True})


def test_a_campaign_resumed_a_moment_ago_is_no_wedge(client):
    beat()
    make_account()
    due = due_for(AN_HOUR, status="paused")
    health.note_stuck()
    actions.resume_campaign(due)
    assert ask(client) == (200, WELL)


def test_batches_that_fail_again_and_again_before_their_first_mail_are_a_wedge(client, settings):
    settings.SENDING_COMPOSER = "campaigns.composing.no_such_function"
    make_account()
    Campaign.objects.filter(pk=queue(3).pk).update(queued_at=timezone.now() - AN_HOUR)
    for _ in range(2):
        with pytest.raises(ImportError):
            send_batch(claim().pk)
    Batch.objects.update(created=timezone.now())
    beat()
    seen_for_a_minute()
    assert states() == ["pending"] * 3
    assert ask(client) == (503, {**WELL, "stuck": True})


def test_a_batch_at_work_or_a_ledger_row_of_late_shows_that_mail_moves(client):
    beat()
    due = due_for(AN_HOUR)
    make_sent(due, make_account(), 1)
    seen_for_a_minute()
    assert ask(client) == (200, WELL)
    SendLog.objects.update(at=timezone.now() - AN_HOUR)
    seen_for_a_minute()
    assert ask(client) == (503, {**WELL, "stuck": True})
    batch = Batch.objects.get()
    batch.started, batch.token = timezone.now(), uuid4()
    batch.save()
    assert ask(client) == (200, WELL)


def waits_for_its_time():
    due_for(timedelta(seconds=10))


def is_scheduled_for_later():
    due_for(AN_HOUR, scheduled_at=timezone.now() + AN_HOUR)


def became_due_just_now():
    due_for(AN_HOUR, scheduled_at=timezone.now() - timedelta(seconds=10))


def is_paused():
    due_for(AN_HOUR, status="paused", pause_reason="A person paused it.")


def has_no_account():
    SmtpAccount.objects.update(is_enabled=False)
    due_for(AN_HOUR)


def has_a_paused_account():
    SmtpAccount.objects.update(pause_reason="rests", paused_until=timezone.now() + AN_HOUR)
    due_for(AN_HOUR)


def has_an_account_that_rested_until_just_now():
    SmtpAccount.objects.update(pause_reason="rests", paused_until=timezone.now() - timedelta(seconds=10))
    due_for(AN_HOUR)


def has_used_its_limit(sent_ago=timedelta(hours=2)):
    account = SmtpAccount.objects.get()
    SmtpAccount.objects.update(daily_limit=2)
    campaign = due_for(timedelta(days=2))
    make_sent(campaign, account, 2, sent_ago)
    Batch.objects.update(created=timezone.now() - sent_ago)


def had_used_its_limit_until_just_now():
    has_used_its_limit(timedelta(hours=24, seconds=10))


def has_an_account_of_its_own_that_is_off():
    campaign = due_for(AN_HOUR)
    campaign.accounts.add(make_account("off", is_enabled=False))


def has_a_slow_pace():
    from tests.factories import set_pace

    set_pace(batch_interval=7200)
    due_for(AN_HOUR)


@pytest.mark.parametrize(
    "only_waits",
    [
        waits_for_its_time,
        is_scheduled_for_later,
        became_due_just_now,
        is_paused,
        has_no_account,
        has_a_paused_account,
        has_an_account_that_rested_until_just_now,
        has_used_its_limit,
        had_used_its_limit_until_just_now,
        has_an_account_of_its_own_that_is_off,
        has_a_slow_pace,
    ],
)
def test_mail_that_only_waits_is_no_wedge(only_waits, client):
    beat()
    make_account()
    only_waits()
    seen_for_a_minute()
    assert ask(client) == (200, WELL)


def test_the_number_of_queries_does_not_grow(client):
    beat()
    counts = []
    for n in range(3):
        make_account(f"a{n}")
        due_for(AN_HOUR, name=f"News {n}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get("/healthz")
        counts.append(len(queries))
    assert len(set(counts)) == 1
    assert not [q for q in queries if not q["sql"].startswith(("SELECT", "\nSELECT"))]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_only_looks(method, client):
    assert getattr(client, method)("/healthz").status_code == 405


def test_a_look_changes_nothing_and_is_not_kept(client):
    due_for(AN_HOUR)
    assert "no-store" in client.get("/healthz?x=1")["Cache-Control"]
    assert Campaign.objects.get().status == "sending"
    assert "sessionid" not in client.cookies


def test_without_a_database_it_answers_503_at_once():
    script = (
        "import django; django.setup()\n"
        "from django.test import Client\n"
        "answer = Client(SERVER_NAME='localhost').get('/healthz')\n"
        "print(answer.status_code, answer.content.decode())"
    )
    database = f"postgres://nobody:hidden@127.0.0.1:{free_port(0)}/nothing"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT, capture_output=True, text=True, timeout=30,
        env={"PATH": "/usr/bin:/bin", "DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": database},
    )  # fmt: skip
    code, _, body = done.stdout.partition(" ")
    assert code == "503", done.stderr
    assert json.loads(body) == {
        "web": True, "database": False, "sending": None, "heartbeat_age": None, "stuck": None,
    }  # fmt: skip


def test_watchdog_once_says_it_in_one_line_and_by_its_exit_code(capsys):
    with pytest.raises(CommandError, match=r"^Sending is not running: no worker has ever reported\.$"):
        call_command("watchdog", "--once")
    beat(timedelta(seconds=100))
    with pytest.raises(CommandError, match=r"^Sending is not running: the last sign of life is 10\d s old"):
        call_command("watchdog", "--once")
    beat()
    call_command("watchdog", "--once")
    assert capsys.readouterr().out.startswith("Sending is alive: the last sign of life is ")
    make_account()
    due_for(AN_HOUR)
    seen_for_a_minute()
    with pytest.raises(CommandError, match="Sending is stuck: mail is due, and nothing moves"):
        call_command("watchdog", "--once")


def test_a_look_at_the_queue_that_fails_is_told_as_such():
    beat(timedelta(seconds=5), "failed: KeyError")
    with pytest.raises(CommandError, match=r"^Sending fails: the last look at the queue was \d s ago"):
        call_command("watchdog", "--once")


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(60)
def test_a_kept_connection_to_a_server_that_hangs_is_not_waited_for(client):
    beat()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    os.kill(backend, signal.SIGSTOP)
    try:
        assert ask(client) == (200, WELL)
    finally:
        os.kill(backend, signal.SIGCONT)


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(60)
def test_a_locked_table_is_not_waited_for(client):
    with psycopg.connect(database_url()) as other:
        other.execute("LOCK TABLE sending_heartbeat IN ACCESS EXCLUSIVE MODE")
        answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["database"]) == (503, False)
