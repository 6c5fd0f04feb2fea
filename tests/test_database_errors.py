"""Which errors of the database a job waits for, and which it does not: waiting mends no program."""

from contextlib import suppress

import pytest
from django.db import DataError, InternalError, OperationalError, connection, transaction

from sending.database import patiently

pytestmark = pytest.mark.django_db(transaction=True)
WRITE = "INSERT INTO sending_tally (campaign_id, account_id, status, count) VALUES (NULL, NULL, 'sent', 0)"


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_a_write_that_a_read_only_server_refused_is_an_operational_error() -> None:
    with pytest.raises(OperationalError, match="read-only"), transaction.atomic():
        execute("SET TRANSACTION READ ONLY", WRITE)


def test_an_error_of_the_program_is_raised_at_once() -> None:
    tries = []

    @transaction.atomic
    def write() -> None:
        tries.append(1)
        with suppress(DataError):
            execute("SELECT 1 / 0")
        execute("SELECT 1")  # in a transaction that the division ended

    with pytest.raises(InternalError, match="aborted"):
        patiently(write)
    assert len(tries) == 1
