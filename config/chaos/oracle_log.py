"""The oracle's log: one append-only file of JSON lines, on disk before the server says 250."""

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Acceptance:
    """One message that the server took over. at: seconds since the epoch, by the oracle's clock.

    campaign: the first word of the subject, which no retry changes.
    """

    at: float
    login: str
    message_id: str
    rcpt: str
    campaign: str


@dataclass(frozen=True)
class Misdeed:
    """One misbehaviour. is_ambiguous: the dot had come, and the server said neither yes nor no."""

    at: float
    kind: str
    login: str
    rcpt: str
    message_id: str
    is_ambiguous: bool


class OracleLog:
    """Writes the log; each line is on disk when the call returns."""

    def __init__(self, path: Path):
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def accepted(
        self, login: str, message_id: str, rcpt: str, campaign: str, at: float | None = None
    ) -> None:
        self._write("accepted", Acceptance(at or time.time(), login, message_id, rcpt, campaign))

    def did(
        self, kind: str, login: str = "", rcpt: str = "", message_id: str = "", *, is_ambiguous: bool = False
    ) -> None:
        self._write("did", Misdeed(time.time(), kind, login, rcpt, message_id, is_ambiguous))

    def _write(self, what: str, entry: Any) -> None:
        os.write(self._file, (json.dumps({"what": what, **asdict(entry)}) + "\n").encode())
        os.fsync(self._file)


def read(path: Path) -> tuple[list[Acceptance], list[Misdeed]]:
    """All entries in the order in which they were written."""
    accepted: list[Acceptance] = []
    misdeeds: list[Misdeed] = []
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        if entry.pop("what") == "accepted":
            accepted.append(Acceptance(**entry))
        else:
            misdeeds.append(Misdeed(**entry))
    return accepted, misdeeds
