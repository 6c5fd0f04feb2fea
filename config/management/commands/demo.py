import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from config.demo import progress, story, verify
from config.demo.processes import Processes, free_port, listens

USER, PASSWORD = "demo", "batchwise-demo"  # noqa: S105 - of a web server on loopback, with demo data
LOCK = 0x64656D6F  # "demo": Postgres' advisory lock of a running demonstration
PATIENCE = 85  # seconds


class Command(BaseCommand):
    help = (
        "Shows the main job on this machine: three accounts with small limits, a list of 400, one "
        "campaign, a real qcluster. Works on data of its own (var/demo), made afresh each time."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.EMBEDDED_POSTGRES and settings.VAR_DIR.name == "demo"):
            sys.exit(self._run_on_own_data())
        self._take_turn()
        self._make_afresh()
        with Processes(settings.VAR_DIR) as processes:
            self._show(processes)

    def _run_on_own_data(self) -> int:
        environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "BATCHWISE_ENV")}
        environment["BATCHWISE_VAR"] = str(settings.BASE_DIR / "var" / "demo")
        own = [sys.executable, str(settings.BASE_DIR / "manage.py"), "demo"]
        return subprocess.run(own, env=environment, check=False).returncode

    def _take_turn(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            if not cursor.fetchone()[0]:
                raise CommandError("A demonstration is running already: end it with Ctrl-C first.")

    def _make_afresh(self) -> None:
        self._say("Preparing a database of its own in var/demo ...")
        call_command("migrate", interactive=False, verbosity=0)
        call_command("flush", interactive=False, verbosity=0)
        get_user_model().objects.create_superuser(USER, "", PASSWORD)
        for path in self._mail().glob("*.eml"):
            path.unlink()

    def _show(self, processes: Processes) -> None:
        smtp, web = free_port(2525), free_port(8000)
        self._start_smtp_server(processes, smtp)
        story.add_accounts(smtp)
        self._say("Added three accounts:", *(f"{m.name} ({m.daily_limit} a day)" for m in story.MAILBOXES))
        story.import_recipients()
        campaign = story.write_campaign()
        story.set_quick_pace()
        queued = story.press_send(campaign)
        self._say(f"Queued {queued:,} emails for sending")
        processes.start("qcluster", "manage.py", "qcluster")
        processes.start(
            "web", "-m", "gunicorn", "--config", "config/gunicorn.py", "--bind", f"127.0.0.1:{web}", "config.wsgi"
        )  # fmt: skip
        self._watch(queued)
        self._tell_where(web)
        self._check(queued)
        if self.stdout.isatty():
            self._wait_for_ctrl_c()

    def _start_smtp_server(self, processes: Processes, port: int) -> None:
        logins = ",".join(f"{m.email}:{m.password}" for m in story.MAILBOXES)
        processes.start(
            "smtp", "-m", "config.demo.smtp_server",
            "--port", str(port), "--accounts", logins, "--directory", str(self._mail()),
        )  # fmt: skip
        ends = time.monotonic() + 20
        while not listens(port):
            if time.monotonic() > ends:
                raise CommandError(
                    f"The local SMTP server did not start: see {settings.VAR_DIR / 'smtp.log'}."
                )
            time.sleep(0.1)

    def _watch(self, queued: int) -> None:
        shown = progress.Progress(self.stdout._out)  # type: ignore[attr-defined]
        status: dict[str, Any] = {}
        try:
            for status in progress.until_all_is_sent(PATIENCE):
                shown.show(progress.line(status, queued))
        except TimeoutError as error:
            raise CommandError(f"{error}. See {settings.VAR_DIR / 'qcluster.log'}.") from None
        finally:
            shown.end()
        self._say("", progress.table(status, queued), "")

    def _tell_where(self, web: int) -> None:
        self._say(
            f"Received mail: {_short(self._mail())}/*.eml",
            f"Dashboard:     http://127.0.0.1:{web}/admin/dashboard/  (log in as {USER} / {PASSWORD})",
        )

    def _check(self, queued: int) -> None:
        found = verify.problems(self._mail(), queued)
        if found:
            raise CommandError("It does not add up: " + "; ".join(found) + ".")
        self._say("Checked against the received mail: nothing lost, nothing twice, nothing over a limit.")

    def _wait_for_ctrl_c(self) -> None:
        self._say("The web server stays up: Ctrl-C ends it.")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            self._say("")

    def _mail(self) -> Path:
        folder = settings.VAR_DIR / "mail"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _say(self, *lines: str) -> None:
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
