"""What the demonstration shows while it sends, and the table at its end."""

import shutil
import time
from collections.abc import Iterator
from typing import Any, TextIO

from sending.status import queue_status

WIDTH = 10


def until_all_is_sent(seconds: float) -> Iterator[dict[str, Any]]:
    """Yields the status about once a second, lastly when all is sent that the limits allow.

    Raises TimeoutError when that takes longer than so many seconds.
    """
    ends = time.monotonic() + seconds
    while True:
        status = queue_status()
        yield status
        if _is_over(status):
            return
        if time.monotonic() > ends:
            raise TimeoutError(f"sending did not end within {seconds:.0f} s: {status['waiting']}")
        time.sleep(1)


def _is_over(status: dict[str, Any]) -> bool:
    waits = status["pending"] + status["retry"]
    is_room = any(account["left"] for account in status["accounts"])
    return status["sending"] == 0 and (waits == 0 or not is_room)


def line(status: dict[str, Any], queued: int) -> str:
    """One line of progress: a bar and the figures."""
    done = round(WIDTH * status["sent"] / max(queued, 1))
    accounts = "  ".join(f"{a['name']} {a['used']}/{a['limit']}" for a in status["accounts"])
    return f"[{'#' * done}{'.' * (WIDTH - done)}] {status['sent']} of {queued} sent   {accounts}"


class Progress:
    """Shows the line: redrawn in place on a terminal, else a new one when it changed."""

    def __init__(self, out: TextIO):
        self.out, self.last = out, ""

    def show(self, text: str) -> None:
        if self.out.isatty():
            width = shutil.get_terminal_size().columns - 1
            self.out.write(f"\r\033[K{text[:width]}")
        elif text != self.last:
            self.out.write(text + "\n")
        self.out.flush()
        self.last = text

    def end(self) -> None:
        if self.out.isatty():
            self.out.write("\n")


def table(status: dict[str, Any], queued: int) -> str:
    """The figures at the end: the queue, and each account against its limit."""
    rows = [
        ("queued", queued),
        ("sent", status["sent"]),
        ("failed", status["failed"]),
        ("uncertain", status["uncertain"]),
        ("waiting", status["pending"] + status["retry"]),
    ]
    lines = [f"  {name:<12}{count:>6}" for name, count in rows]
    lines += ["", f"  {'account':<20}{'used':>6}{'limit':>7}"]
    lines += [f"  {a['name']:<20}{a['used']:>6}{a['limit']:>7}" for a in status["accounts"]]
    if status["waiting"]:
        lines += ["", f"  Why: {status['waiting']}"]
    return "\n".join(lines)
