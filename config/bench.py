"""`make bench`: how long the steps take on this machine, on a database of its own (var/bench).

Machines differ and are noisy: compare the rows of one run, not of two.
"""

import argparse
import io
import logging
import os
import smtplib
import statistics
import time
from collections.abc import Callable

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from accounts.actions import add_account  # noqa: E402
from campaigns import actions  # noqa: E402
from campaigns.importing import import_contacts  # noqa: E402
from campaigns.models import Campaign, ContactList  # noqa: E402
from config import bench_dashboard  # noqa: E402
from config.demo.smtp_server import LocalSmtpServer  # noqa: E402
from sending import dispatch, jobs, sender  # noqa: E402
from sending.actions import set_pacing  # noqa: E402
from sending.models import Batch  # noqa: E402
from sending.status import queue_status  # noqa: E402

CONTACTS, SMALL, BATCH = 100_000, 1_234, 1_000
LONG_AGO = "2000-01-01T00:00Z"


def main() -> None:
    """Prints one table in Markdown; with --dashboard [ROWS] that of the dashboard over a large queue."""
    parser = argparse.ArgumentParser(prog="make bench")
    told = "over so many mails (ten million); 0: over those of the last run"
    parser.add_argument("--dashboard", nargs="?", const=10_000_000, type=int, metavar="ROWS", help=told)
    parser.add_argument("--explain", action="store_true", help="with --dashboard: the slow plans, too")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    call_command("migrate", interactive=False, verbosity=0)
    if options.dashboard != 0:
        call_command("flush", interactive=False, verbosity=0)
    settings.ALLOWED_HOSTS = ["testserver"]
    if options.dashboard is not None:
        bench_dashboard.main(options.dashboard, explain=options.explain)
        return
    print("| what | figure |\n| --- | --- |")
    with LocalSmtpServer({"bench": "bench"}) as server:
        prepare(server.port)
        importing()
        queueing()
        dispatching()
        sending(server)
    looking()


def row(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


def timed(function: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def prepare(port: int) -> None:
    """Contacts, two lists, an account without a limit that matters."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_contact (email, name, attributes, created_at) "
            "SELECT 'person' || n || '@example.com', '', "
            "jsonb_build_object('first_name', 'Person ' || n), now() FROM generate_series(1, %s) n",
            [CONTACTS],
        )
        for name, count in (("all", CONTACTS), ("small", SMALL)):
            contact_list = ContactList.objects.create(name=name)
            cursor.execute(
                "INSERT INTO campaigns_contactlist_contacts (contactlist_id, contact_id) "
                "SELECT %s, id FROM campaigns_contact ORDER BY id LIMIT %s",
                [contact_list.pk, count],
            )
        cursor.execute("ANALYZE")
    add_account(
        email="bench@sender.example", host="127.0.0.1", port=port, security="none",
        username="bench", password="bench", daily_limit=1_000_000,  # noqa: S106
    )  # fmt: skip


def importing() -> None:
    """A CSV file of new contacts, then the same one again."""
    rows = "".join(f"new{n}@example.com,New {n},City {n % 100}\n" for n in range(CONTACTS))
    file = ("email,name,city\n" + rows).encode()
    for what in ("import a CSV file of {:,} new contacts", "the same file again"):
        seconds = timed(lambda: import_contacts(io.BytesIO(file), "new.csv", "new"))
        row(what.format(CONTACTS), f"{seconds:.1f} s")


def write(name: str, contact_list: str) -> Campaign:
    campaign = Campaign.objects.create(
        name=name, subject="Hello {{ first_name }}", html="<p>Dear {{ first_name }}, how are you?</p>"
    )
    campaign.lists.set(ContactList.objects.filter(name=contact_list))
    return campaign


def queueing() -> None:
    """The admin's action, as the browser sends it; then the statement alone, with many contacts."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("bench", "", "bench"))
    campaign = write("Small", "small")
    data = {"action": "send", "_selected_action": [campaign.pk]}
    seconds = timed(lambda: client.post(reverse("admin:campaigns_campaign_changelist"), data))
    assert campaign.queued_emails.count() == SMALL
    row(f"“Send campaign” in the admin, {SMALL:,} contacts, one request", f"{seconds * 1000:.0f} ms")
    everybody = write("All", "all")
    seconds = timed(lambda: actions.queue_campaign(everybody))
    row(f"queue {CONTACTS:,} contacts", f"{seconds:.2f} s ({CONTACTS / seconds:,.0f} rows a second)")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def claim(size: int) -> Batch:
    set_pacing(batch_size=size, batch_interval=0.1, delay=0)
    Batch.objects.update(created=LONG_AGO, finished=LONG_AGO)
    Batch.objects.exclude(started=None).update(started=LONG_AGO)
    assert dispatch.dispatch().mails == size
    return Batch.objects.latest("id")


def dispatching() -> None:
    """The whole of a dispatch: locks, limits, claim, batch, wake-up."""
    for size in (10, BATCH):
        seconds = [timed(lambda n=size: claim(n)) for _ in range(5)]
        row(f"dispatch a batch of {size:,}", f"{statistics.median(seconds) * 1000:.0f} ms")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE sending_queuedemail SET status = 'pending', account_id = NULL, batch_id = NULL, "
            "position = NULL WHERE status = 'sending'"
        )


def sending(server: LocalSmtpServer) -> None:
    """One worker with a batch, against smtplib alone with ready bytes on one connection."""
    ready = b"Subject: Hello\r\n\r\n" + b"Dear Person, how are you?\r\n" * 20
    alone = timed(lambda: send_with_smtplib(server.port, ready))
    row("smtplib alone, one connection, ready bytes", f"{BATCH / alone:,.0f} mails a second")
    batch = claim(BATCH)
    ours = timed(lambda: sender.send_batch(batch.pk))
    row("one worker, rendered, in the ledger after each mail", f"{BATCH / ours:,.0f} mails a second")
    row("ratio", f"{alone / ours:.2f}")
    statements = {}
    for size in (10, 100):
        batch = claim(size)
        with CaptureQueriesContext(connection) as captured:
            sender.send_batch(batch.pk)
        statements[size] = len(captured)
    row("statements of a batch of 10 and of 100", f"{statements[10]} and {statements[100]}")


def send_with_smtplib(port: int, message: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="localhost") as smtp:
        smtp.login("bench", "bench")
        for n in range(BATCH):
            smtp.sendmail("bench@sender.example", f"person{n}@example.com", message)


def looking() -> None:
    """What dashboards and scripts ask for every few seconds."""
    jobs.recover()
    row("queue_status", f"{statistics.median(timed(queue_status) for _ in range(5)) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
