import json
import os
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from sending.reports import as_text
from sending.status import queue_status

REDRAW = 2.0  # seconds between two looks of --watch
CLEAR = "\x1b[2J\x1b[H"  # ANSI: clear the screen, cursor to the top left


class Command(BaseCommand):
    help = "Shows counts by state, per campaign and per account, and why mail waits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--watch", action="store_true", help="look again every 2 s, until Ctrl-C")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["watch"]:
                self._watch(options["json"])
            else:
                self.stdout.write(_look(options["json"]))
                self.stdout.flush()
        except BrokenPipeError:  # `| head` has seen enough; what Python still holds has nowhere to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _watch(self, as_json: bool) -> None:
        clear = CLEAR if self.stdout.isatty() and not as_json else ""
        try:
            while True:
                self.stdout.write(clear + _look(as_json))
                self.stdout.flush()
                time.sleep(REDRAW)
        except KeyboardInterrupt:
            self.stdout.write("")
        finally:
            connection.close()


def _look(as_json: bool) -> str:
    status = queue_status()
    return json.dumps(status, cls=DjangoJSONEncoder) if as_json else as_text(status)
