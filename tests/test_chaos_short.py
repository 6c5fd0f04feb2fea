"""`make chaos`, short: under kills, restarts and a bad server, every promise is kept."""

import json
import os
import random
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from config.chaos import database, options, schedule
from config.chaos.misbehaviour import Plan
from tests.factories import make_account

ROOT = Path(__file__).parent.parent
SEED = "3"


@pytest.mark.acceptance
@pytest.mark.timeout(300)
def test_under_a_handful_of_each_fault_every_promise_is_kept(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "config.chaos", "--short", "--seed", SEED],
        cwd=ROOT,
        env={**os.environ, "BATCHWISE_VAR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    result = json.loads((tmp_path / "chaos" / "run" / "result.json").read_text())
    assert result["broken"] == []
    verdict, faults = result["verdict"], result["faults"]
    assert verdict["lost"] == verdict["duplicated"] == verdict["strangers"] == verdict["hidden"] == []
    assert verdict["over_limit"] == []
    assert verdict["waiting"]  # for a limit: else a claim that heeds none would not be found out
    assert sum(n for kind, n in faults.items() if kind.startswith("kill -9")) >= 4
    # Nobody but recovery can tell then that the mail is not to be sent again.
    assert faults["kill -9: who sends, a mail accepted and untold"] >= 1
    assert sum(n for kind, n in faults.items() if kind.startswith("PostgreSQL")) == 2
    assert f"Seed {SEED}" in ended.stdout
    assert "Every promise was kept." in ended.stdout


def test_a_seed_repeats_the_schedule_and_another_one_does_not():
    asked = options.parse(["--seed", "7"])
    assert schedule.make(asked) == schedule.make(options.parse(["--seed", "7"]))
    assert schedule.make(asked) != schedule.make(options.parse(["--seed", "8"]))
    kinds = [fault.kind for fault in schedule.make(asked)]
    assert sum(kind.startswith("kill -9") for kind in kinds) == 200
    assert sum(kind.startswith("PostgreSQL") for kind in kinds) == 20


def test_the_command_that_a_run_prints_asks_for_the_same_again():
    asked = options.parse(["--short", "--kills", "7", "--standby"])
    words = re.search(r'ARGS="(.*)"', asked.command)[1].split()
    assert options.parse(words) == asked


def test_a_message_whose_worker_is_about_to_be_killed_is_accepted_and_no_other():
    plan = Plan(7, intensity=1e-9)
    plan.is_kill_coming = True
    assert plan.choose("rcpt", "person1@example.com") is None
    assert plan.choose("dot", "person1@example.com").is_ambiguous
    assert plan.choose("dot", "person2@example.com") is None
    plan.is_calm = plan.is_kill_coming = True  # the faults are over: nobody is killed any more
    assert plan.choose("dot", "person1@example.com") is None


def test_a_seed_repeats_what_the_server_does_to_a_mail_in_whatever_order_mails_come():
    people = [f"person{n}@example.com" for n in range(300)]
    there, back = Plan(7), Plan(7)
    forwards = {rcpt: there.choose("dot", rcpt) for rcpt in people}
    backwards = {rcpt: back.choose("dot", rcpt) for rcpt in reversed(people)}
    assert forwards == backwards
    assert any(forwards.values())
    assert forwards != {rcpt: Plan(8).choose("dot", rcpt) for rcpt in people}


NOW = datetime(2026, 11, 26, 21, 15, tzinfo=UTC)


def test_a_clock_that_is_about_to_pass_midnight_does_so_in_its_own_time_zone():
    for seed in range(20):
        clock = schedule.before_midnight(random.Random(seed), NOW)
        local = (NOW + timedelta(seconds=clock.ahead)).astimezone(ZoneInfo(clock.time_zone))
        assert f"{local:%T}" == "23:59:50"


def test_a_clock_that_is_about_to_change_its_hour_leaves_one_out_or_has_one_twice():
    steps = set()
    for seed in range(20):
        clock = schedule.before_change(random.Random(seed), NOW)
        zone, at = ZoneInfo(clock.time_zone), NOW + timedelta(seconds=clock.ahead)
        before, after = (moment.astimezone(zone).utcoffset() for moment in (at, at + timedelta(seconds=20)))
        steps.add(after - before)
    assert steps == {timedelta(hours=1), timedelta(hours=-1)}


@pytest.mark.django_db(transaction=True)
def test_a_fault_that_hits_nothing_does_not_count():
    struck = []
    database.hold_rows("accounts", 0, lambda: struck.append("no account"))
    make_account()
    database.hold_rows("accounts", 0, lambda: struck.append("an account"))
    assert struck == ["an account"]
