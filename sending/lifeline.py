"""No orphans: a process of a cluster whose parent died ends by itself, within seconds.

Each process that is forked starts a thread that looks whether its parent is still the one that
forked it. That works on every Unix, and no moment of the parent's death escapes it.
"""

import os
import threading
import time
from collections.abc import Callable

LOOK_EVERY = 0.5  # seconds

# Whether this process is at work that it should finish before it ends.
is_busy = False
_forked_by = 0


def leave_when_idle() -> None:
    """What a worker, a pusher or a monitor does without its parent."""
    from sending import drain

    drain.stopping.set()
    while is_busy:
        time.sleep(LOOK_EVERY / 10)
    os._exit(1)  # an idle worker waits in a lock for ever: it can't be asked


when_orphaned: Callable[[], None] = leave_when_idle


def tie_children() -> None:
    """From now on, each process that this one forks, and each that they fork, ends with its parent."""
    os.register_at_fork(before=_note_parent, after_in_child=_tie_child)


def tie(parent: int, then: Callable[[], None]) -> None:
    """Calls `then` in a thread as soon as this process is not a child of `parent` any more."""
    threading.Thread(target=_watch, args=(parent, then), daemon=True).start()


def _note_parent() -> None:
    global _forked_by
    _forked_by = os.getpid()


def _tie_child() -> None:
    global when_orphaned, is_busy
    when_orphaned, is_busy = leave_when_idle, False
    tie(_forked_by, lambda: when_orphaned())


def _watch(parent: int, then: Callable[[], None]) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY)
    then()
