"""What must reach the database waits for it, for a while."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
PATIENCE = 30.0  # seconds


def patiently(write: Callable[[], Result]) -> Result:
    """Does it, again where the database is away or chose it as the victim of a deadlock.

    For writes that may be done twice. Raises OperationalError when it stays away for PATIENCE.
    """
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() > give_up:
                raise
            connection.close()
            logger.warning("The database is away; what has to be written waits for it")
            time.sleep(1)
