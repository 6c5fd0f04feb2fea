"""The suppression list: addresses that get nothing more, whoever asks."""

from django.db import connection
from django.db.models import QuerySet, Value
from django.db.models.functions import Lower

from sending.models import Suppression

SUPPRESS = """
INSERT INTO sending_suppression (email, reason, source, at) VALUES (%s, %s, %s, now())
ON CONFLICT (lower(email)) DO NOTHING
"""


def suppress(email: str, reason: str, source: str = "") -> bool:
    """Puts an address onto the list. False when it is there already: reason and time stay as they are."""
    with connection.cursor() as cursor:
        cursor.execute(SUPPRESS, [email, reason, source[:200]])
        return bool(cursor.rowcount)


def unsuppress(email: str) -> bool:
    """Takes an address off the list. False when it wasn't on it. What was dropped for it stays dropped."""
    deleted, _ = _of(email).delete()
    return bool(deleted)


def suppression_of(email: str) -> Suppression | None:
    """Why and since when an address gets nothing."""
    return _of(email).first()


def _of(email: str) -> QuerySet[Suppression]:
    return Suppression.objects.order_by().alias(address=Lower("email")).filter(address=Lower(Value(email)))
