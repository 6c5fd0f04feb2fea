"""The queue's status as plain text, aligned for a terminal. Pure."""

from collections.abc import Sequence
from typing import Any

from accounts.words import moment, number

CAMPAIGN_COLUMNS = (
    "name", "status", "pending", "sending", "retry", "uncertain", "sent", "failed", "cancelled", "suppressed",
)  # fmt: skip
ACCOUNT_COLUMNS = ("name", "email", "used", "limit", "left", "state", "next_free_at")
STATES = CAMPAIGN_COLUMNS[2:]
RUNS = "Sending is running."
FAILS = "Sending fails: its last look at the queue failed, and the log says more."
STUCK = "Sending is stuck: mail is due, and nothing moves; the log says more."
RUNS_NOT = "Sending is not running: see to manage.py watchdog, and its log."


def as_text(status: dict[str, Any]) -> str:
    """What `queue_status` prints without --json; status is what sending.status.queue_status returns."""
    parts = [
        _lead(status),
        "  ".join(f"{state}: {number(status[state])}" for state in STATES),
        status["waiting"],
        _section("Campaigns", CAMPAIGN_COLUMNS, status["campaigns"], "waiting"),
        _section("Accounts", ACCOUNT_COLUMNS, status["accounts"], "pause_reason"),
    ]
    return "\n".join(part for part in parts if part)


def _lead(status: dict[str, Any]) -> str:
    if status["failing"]:
        return FAILS
    if not status["alive"]:
        return RUNS_NOT
    return STUCK if status["stuck"] else RUNS


def _section(title: str, columns: Sequence[str], rows: list[dict[str, Any]], note: str) -> str:
    """A table, with each row's note (why it waits, why it is paused) on a line below it."""
    if not rows:
        return f"\n{title}: none yet"
    cells = [[column.replace("_", " ") for column in columns]]
    cells += [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[n]) for line in cells) for n in range(len(columns))]
    is_number = [isinstance(rows[0][column], int) for column in columns]
    lines = [_line(line, widths, is_number) for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    noted = lines[:2]
    for line, row in zip(lines[2:], rows, strict=True):
        noted += [line, f"    {row[note]}"] if row[note] else [line]
    return "\n".join([f"\n{title}", *noted])


def _line(cells: list[str], widths: list[int], is_number: list[bool]) -> str:
    aligned = [
        cell.rjust(width) if number else cell.ljust(width)
        for cell, width, number in zip(cells, widths, is_number, strict=True)
    ]
    return "  ".join(aligned).rstrip()


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return number(value)
    return value if isinstance(value, str) else moment(value)
