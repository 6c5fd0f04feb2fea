"""The demonstration itself: `python -m config.demo.show`, on the database of its own (own_data.py)."""

import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.management.base import CommandError  # noqa: E402

from config.demo import progress, story, verify  # noqa: E402
from config.demo.processes import Processes, free_port, listens  # noqa: E402

USER, PASSWORD = "demo", "batchwise-demo"  # of a web server on loopback, with invented data
PATIENCE = 75  # seconds
MAIL = settings.VAR_DIR / "mail"


def main() -> int:
    """Shows it; returns 0 when every figure adds up, 1 with the reason when not."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.disable(logging.INFO)  # what the actions log stands in the lines that follow, too
    try:
        with Processes(settings.VAR_DIR) as processes:
            show(processes)
    except CommandError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("", "Ended before its end.")
        return 130
    return 0


def show(processes: Processes) -> None:
    """From an empty database to mail that arrived, step by step."""
    make_database()
    smtp_port = start_smtp_server(processes)
    story.add_accounts(smtp_port)
    say("Added three accounts:", *(f"  {m.name}, {m.daily_limit} a day" for m in story.MAILBOXES))
    story.import_recipients()
    campaign = story.write_campaign()
    story.set_quick_pace()
    queued = story.press_send(campaign)
    say(f"Queued {queued:,} emails for sending")
    start_cluster(processes)
    web_port = start_web_server(processes)
    watch(processes, queued)
    check(queued)
    tell_where(web_port)
    if sys.stdout.isatty():
        wait_for_ctrl_c()


def make_database() -> None:
    """Migrates the new database and makes the user of the dashboard."""
    say(f"Preparing a database of its own in {short(settings.VAR_DIR)} ...")
    call_command("migrate", interactive=False, verbosity=0)
    get_user_model().objects.create_superuser(USER, "", PASSWORD)


def start_smtp_server(processes: Processes) -> int:
    """Starts the local SMTP server, with a log-in for each account; returns its port."""
    port = free_port(2525)
    logins = ",".join(f"{m.email}:{m.password}" for m in story.MAILBOXES)
    processes.start(
        "smtp", "-m", "config.demo.smtp_server",
        "--port", str(port), "--accounts", logins, "--directory", str(MAIL),
    )  # fmt: skip
    ends = time.monotonic() + 20
    while not listens(port):
        if time.monotonic() > ends or processes.first_that_ended():
            raise CommandError(f"The local SMTP server did not start: see {processes.log('smtp')}.")
        time.sleep(0.1)
    return port


def start_web_server(processes: Processes) -> int:
    """Starts gunicorn; returns its port."""
    port = free_port(int(os.environ.get("PORT") or 8000))
    address = f"127.0.0.1:{port}"
    processes.start("web", "-m", "gunicorn", "-c", "config/gunicorn.py", "--bind", address, "config.wsgi")
    return port


def start_cluster(processes: Processes) -> None:
    """Starts the workers that send. One that is killed is missed soon: its lease is short here."""
    os.environ["BATCH_LEASE"] = "5"
    processes.start("qcluster", "manage.py", "qcluster")


def watch(processes: Processes, queued: int) -> None:
    """Shows the progress until all is sent that the limits allow, then the table."""
    shown = progress.Progress(sys.stdout)
    status: dict[str, Any] = {}
    try:
        for status in progress.until_all_is_sent(PATIENCE):
            shown.show(progress.line(status, queued))
            if ended := processes.first_that_ended():
                shown.end()
                if ended != "qcluster":
                    raise CommandError(f"{ended} ended by itself: see {processes.log(ended)}.")
                say("qcluster was killed: it is started again, and goes on by the ledger.")
                start_cluster(processes)
    except TimeoutError as error:
        raise CommandError(f"{error}. See {processes.log('qcluster')}.") from None
    finally:
        shown.end()
    say("", progress.table(status, queued), "")


def check(queued: int) -> None:
    """Compares the received mail, the ledger and the queue."""
    if found := verify.problems(MAIL, queued):
        raise CommandError("It does not add up: " + "; ".join(found) + ".")
    say("Checked against the received mail: nothing lost, nothing twice, nothing over a limit.")


def tell_where(web_port: int) -> None:
    """Where the received mail and the dashboard are."""
    say(f"Received mail: {short(MAIL)}/*.eml")
    if sys.stdout.isatty():
        say(
            f"Dashboard:     http://127.0.0.1:{web_port}/admin/dashboard/",
            f"               log in as {USER}, password {PASSWORD}",
        )
    else:
        say("Dashboard:     run `make demo` in a terminal, where the web server stays up until Ctrl-C")


def wait_for_ctrl_c() -> None:
    """Keeps the processes up."""
    say("The web server stays up: Ctrl-C ends it.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("")


def short(path: Path) -> str:
    """The path as seen from where the command was given."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def say(*lines: str) -> None:
    """Prints lines at once."""
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
