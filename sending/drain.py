"""An orderly end: SIGTERM lets each worker finish the mail in its hand and give the rest back.

django-q2's workers die of SIGTERM in the middle of a mail, its sentinel leaves them orphaned. A
supervisor that signals the whole process group (honcho does) would make uncertain mail of it.
"""

import os
import signal
import threading
from typing import Any

import django_q.cluster

# Set in a worker that is told to end: the mail in hand is finished, the rest goes back.
stopping = threading.Event()


def on_worker_start(**_: Any) -> None:
    """django-q2's post_spawn: runs in each new worker process."""
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class DrainingSentinel(django_q.cluster.Sentinel):
    """django-q2's sentinel, which ends on its main process' word only, and drains its workers."""

    def start(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # inherited by pusher and monitor
        super().start()

    def stop(self) -> None:
        for process in self.pool:
            if process.pid and process.is_alive():
                os.kill(process.pid, signal.SIGTERM)
        super().stop()
