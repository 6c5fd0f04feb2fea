"""The suppression list: addresses that get nothing more, whoever asks."""

from collections.abc import Iterator, Mapping
from typing import Any

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


def search(suppressions: QuerySet[Suppression], words: str) -> QuerySet[Suppression]:
    """Those whose address holds each of the words, in any case."""
    for word in words.split():
        suppressions = suppressions.filter(email__icontains=word)
    return suppressions


def chosen(wanted: Mapping[str, Any]) -> QuerySet[Suppression]:
    """What an export wants: rows of these `ids`, or of this `reason` and with these `words`; "" for all."""
    suppressions = Suppression.objects.all()
    if "ids" in wanted:
        return suppressions.filter(pk__in=wanted["ids"])
    if wanted.get("reason"):
        suppressions = suppressions.filter(reason=wanted["reason"])
    return search(suppressions, wanted.get("words", ""))


def table(wanted: Mapping[str, Any]) -> tuple[list[str], Iterator[tuple[str, ...]]]:
    """The same as a heading and rows: address, why, where it comes from, since when."""
    rows = chosen(wanted).order_by("pk").iterator(chunk_size=2000)
    told = ((row.email, row.reason, row.source, row.at.isoformat(timespec="seconds")) for row in rows)
    return ["email", "reason", "source", "since"], told


def _of(email: str) -> QuerySet[Suppression]:
    return Suppression.objects.order_by().alias(address=Lower("email")).filter(address=Lower(Value(email)))
