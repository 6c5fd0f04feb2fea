"""What must reach the database waits for it, for a while; what is told together is read as of one moment."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from sending import drain

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
PATIENCE = 30.0  # seconds
# What a database that can't be written to raises: it is gone, or full, or read-only since another one was
# promoted (config/postgres). A new connection finds the one that is the primary now.
AWAY = (OperationalError, InterfaceError)


def patiently(write: Callable[[], Result]) -> Result:
    """Does it, again where the database is away or chose it as the victim of a deadlock.

    For writes that may be done twice. Raises OperationalError when it stays away, or read-only, for
    PATIENCE, or until the worker has to end.
    """
    give_up = time.monotonic() + PATIENCE
    pause = 0.1
    while True:
        try:
            return write()
        except AWAY:
            if connection.in_atomic_block or time.monotonic() > give_up or drain.over.is_set():
                raise
            connection.close()
            logger.warning("The database is away; what has to be written waits for it")
            time.sleep(pause)
            pause = min(1.0, 2 * pause)


@contextmanager
def one_snapshot() -> Iterator[None]:
    """All that is read inside is as of one moment; in a transaction that is open already, as that sees it."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
