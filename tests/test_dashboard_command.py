"""manage.py queue_status."""

import json
import os
import signal
import subprocess
import sys
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command

from config.processes import database_url
from tests.factories import make_account
from tests.queue_rows import make_queue, make_sent, queued

pytestmark = pytest.mark.django_db


def run(*args) -> str:
    out = StringIO()
    call_command("queue_status", *args, stdout=out)
    return out.getvalue()


def test_json_is_exactly_one_object_with_the_keys_that_scripts_rely_on():
    account, campaign = make_account(), queued("News")
    make_sent(campaign, account, 2)
    make_queue(campaign, "pending", 3)

    status = json.loads(run("--json"))

    assert set(status) == {
        "pending", "sending", "sent", "retry", "failed", "uncertain", "cancelled", "suppressed",
        "campaigns", "accounts", "alive", "failing", "stuck", "waiting",
    }  # fmt: skip
    assert (status["pending"], status["sent"], status["alive"]) == (3, 2, False)
    assert status["waiting"].startswith("3 waiting: sending is not running")
    campaign, account = status["campaigns"][0], status["accounts"][0]
    assert (campaign["name"], campaign["status"], campaign["sent"]) == ("News", "sending", 2)
    assert (account["email"], account["used"], account["limit"], account["left"]) == (
        "a1@sender.example", 2, 100, 98,
    )  # fmt: skip
    assert account["next_free_at"].endswith("Z")


def test_without_json_it_is_an_aligned_table():
    make_account("Support", pause_reason="Make an app password.")
    make_queue(queued("A campaign with quite a long name"), "pending", 1234)
    make_queue(queued("Short"), "pending", 5)

    text = run()

    assert text.isascii()
    lines = text.splitlines()
    assert lines[0] == "Sending is not running: see to manage.py watchdog, and its log."
    header = next(line for line in lines if line.startswith("name ") and "pending" in line)
    row = next(line for line in lines if line.startswith("A campaign"))
    other = next(line for line in lines if line.startswith("Short"))
    end = header.index("pending") + len("pending")
    assert row[:end].endswith(" 1,234")
    assert other[:end].endswith(" 5")
    assert "    Make an app password." in lines


def test_an_empty_installation_says_that_there_is_nothing_yet():
    text = run()
    assert "Campaigns: none yet" in text
    assert "Accounts: none yet" in text


def test_watch_looks_again_until_ctrl_c_and_ends_well():
    command = [sys.executable, "manage.py", "queue_status", "--json", "--watch"]
    process = subprocess.Popen(
        command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "DATABASE_URL": database_url()},
    )  # fmt: skip
    assert process.stdout is not None
    looks = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert [look["pending"] for look in looks] == [0, 0]
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("arguments", [("--watch",), ("--watch", "--json"), ()])
def test_a_reader_that_has_seen_enough_ends_it_quietly(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "queue_status", *arguments],
        cwd=settings.BASE_DIR, stdout=writing, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "DATABASE_URL": database_url()},
    )  # fmt: skip
    os.close(writing)
    os.close(reading)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
