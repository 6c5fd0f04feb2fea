"""When the watchdog starts a cluster anew: judged by Postgres' clock, from the rows alone."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from accounts.clock import database_now
from sending.models import Heartbeat
from sending.watchdog import Judge
from tests.factories import make_account
from tests.queue_rows import make_queue, queued

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def cluster(settings):
    settings.CLUSTER = "here"


def beat(job, seconds, host="here"):
    Heartbeat.objects.update_or_create(
        job=job,
        host=host,
        defaults={"at": Now() - timedelta(seconds=seconds), "duration": 0, "outcome": "ok"},
    )


def judge(age=HOUR, **fields):
    """A judge that has been looking for so long."""
    return Judge(since=database_now() - age, **fields)


def test_a_cluster_that_beats_is_well():
    beat("pulse", 10)
    beat("dispatch", 20)
    assert judge().verdict() == ""


def test_another_clusters_beats_do_not_speak_for_this_one():
    beat("pulse", 100)
    beat("pulse", 1, host="there")
    beat("dispatch", 1, host="there")
    assert judge().verdict() == "its workers take no work"


def test_a_cluster_has_lived_once_it_beat_and_still_when_the_database_was_away_since():
    one = judge()
    one.verdict()
    assert not one.has_lived
    beat("pulse", 1)
    one.verdict()
    one.begin()
    one.verdict()
    assert one.has_lived


def test_a_cluster_that_has_just_been_started_gets_its_time():
    assert Judge().verdict() == ""
    assert judge(timedelta(seconds=50)).verdict() == ""
    assert judge(timedelta(seconds=70)).verdict() == "its workers take no work"


def test_pulses_alone_do_not_do_when_nobody_looks_at_the_queue():
    beat("pulse", 1)
    beat("dispatch", 100)
    assert judge().verdict() == "nobody looks at the queue"


def test_mail_that_lies_still_is_a_reason_once_it_has_been_seen_for_a_while():
    beat("pulse", 1)
    beat("dispatch", 1)
    make_account()
    make_queue(queued(queued_at=database_now() - HOUR))
    one = judge()
    assert one.verdict() == ""
    one.stuck_since -= timedelta(seconds=100)
    assert one.verdict() == "mail is due, and nothing moves"


def test_after_an_absence_of_the_database_silence_counts_from_its_return():
    one = judge()
    one.begin()
    assert one.verdict() == ""


def test_restarts_that_cure_nothing_become_rare_and_a_cure_makes_it_watchful_again():
    one = judge(timedelta(seconds=70))
    one.be_more_patient()
    assert one.verdict() == ""
    for _ in range(9):
        one.be_more_patient()
    assert one.patience == 16
    beat("pulse", 1)
    beat("dispatch", 1)
    assert one.verdict() == ""
    assert one.patience == 1
