"""An orderly end: SIGTERM lets each worker finish the mail in its hand and give the rest back.

django-q2's workers die of SIGTERM in the middle of a mail, its sentinel leaves them orphaned. A
supervisor that signals the whole process group (honcho does) would make uncertain mail of it.

A slow server can't hold the end up: after a few seconds the conversation is cut. Before the final
dot that harms nothing, the mail goes back; after it the mail is recorded as uncertain.
"""

import os
import queue
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import django_q.cluster
from django.utils.translation import gettext_lazy as _lazy
from django_q.conf import Conf

from accounts.network import CutShort
from sending import lifeline

# Seconds that the mail in hand has left when its worker is told to end.
MAIL_IN_HAND = 5.0
LEAST_RSS = 1  # kilobytes; django-q2 replaces a worker that has more after its job
# Set in a worker that is told to end: the mail in hand is finished, the rest goes back.
stopping = threading.Event()
# Set when its time is over, too: nobody waits for anything any more.
over = threading.Event()

_is_told_to_end = False
_may_be_cut = False


class Cut(CutShort):
    """Raised out of a conversation whose worker has to end. For a client it is a time-out."""

    def __init__(self) -> None:
        super().__init__(_lazy("The worker had to end while this mail was in its hand."))


@contextmanager
def cut_when_over() -> Iterator[None]:
    """What waits inside for a server is ended by Cut once the time is over. Main thread only.

    Cut may come as late as at the very end of the block, when its work is done.
    """
    global _may_be_cut
    _may_be_cut = True
    try:
        yield
    finally:
        _may_be_cut = False


def on_worker_start(**_: Any) -> None:
    """django-q2's post_spawn: runs in each new worker process."""
    signal.signal(signal.SIGTERM, _tell_to_end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, _cut)
    threading.Thread(target=_end_conversations, daemon=True).start()


def on_job_start(**_: Any) -> None:
    """django-q2's pre_execute."""
    lifeline.is_busy = True


def on_job_end(**_: Any) -> None:
    """django-q2's post_execute_in_worker. One that was told to end takes no more work."""
    lifeline.is_busy = False
    if _is_told_to_end or stopping.is_set():
        # It recycles itself, in order, and the sentinel starts another one: nothing is raised, for an
        # exception while it waits for work would leave the lock of the inner queue held for ever.
        Conf.MAX_RSS = LEAST_RSS


def _tell_to_end(*_: object) -> None:
    # Not stopping.set(): the main thread may hold that event's lock when the signal comes.
    global _is_told_to_end
    _is_told_to_end = True


def _cut(number: int, frame: FrameType | None) -> None:
    if _may_be_cut:
        raise Cut


def _end_conversations() -> None:
    while not (_is_told_to_end or stopping.is_set()):
        time.sleep(0.1)
    stopping.set()
    time.sleep(MAIL_IN_HAND)
    over.set()
    while True:  # again and again: a client may take one for the time-out of one address of many
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        time.sleep(0.2)


class DrainingSentinel(django_q.cluster.Sentinel):
    """django-q2's sentinel, which ends on its main process' word or death, and drains its workers."""

    def start(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # inherited by pusher and monitor
        lifeline.when_orphaned = self._end_orphaned
        super().start()

    def stop(self) -> None:
        for process in self.pool:
            if process.pid and process.is_alive():
                os.kill(process.pid, signal.SIGTERM)
        self._empty_inner_queue()
        super().stop()

    def _empty_inner_queue(self) -> None:
        """Takes out what no worker takes any more, until the pusher has ended; hands on what was not begun.

        django-q2 waits for the pusher without end, and that for room in the queue. Its words to the workers
        need room there, too.
        """
        self.event_out.set()
        unbegun: list[int] = []
        is_over = False
        while not is_over:
            is_over = not self.pusher.is_alive()  # what it put in last is there by then
            with suppress(queue.Empty):
                while True:
                    unbegun.append(self.task_queue.get(block=False).get("ack_id"))
            time.sleep(0.05)
        self.broker.hand_on([pk for pk in unbegun if pk])

    def _end_orphaned(self) -> None:
        # In a thread: the dead process may have held the event's lock for ever.
        threading.Thread(target=self.stop_event.set, daemon=True).start()
        time.sleep(2 * MAIL_IN_HAND)
        os._exit(1)  # then the others end, orphaned themselves
