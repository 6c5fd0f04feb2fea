"""One loop of a job in a cluster: whoever comes while it lasts does its step and goes.

The lock is a POSIX record lock on a file that all processes of a cluster inherit: it ends with the process
that holds it, however that dies, so a killed loop never keeps the next one out.
"""

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

BYTES = {"dispatch": 0, "retry": 1}  # what of the file is each job's
_file: IO[bytes] | None = None


def share() -> None:
    """From now on, all that this process forks have one loop of each job among them."""
    global _file
    _file = tempfile.TemporaryFile()  # noqa: SIM115 - open for as long as the cluster lives


@contextmanager
def only_one(job: str) -> Iterator[bool]:
    """Whether the caller may loop while the block lasts; False: another process of its cluster does."""
    if _file is None:
        share()
    assert _file is not None
    try:
        fcntl.lockf(_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, BYTES[job])
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.lockf(_file, fcntl.LOCK_UN, 1, BYTES[job])
