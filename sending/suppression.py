"""The suppression list: addresses that get nothing more, whoever asks.

The list alone says so, each time that it matters: when a campaign is queued, when a mail is claimed, before
each mail of a batch, and when it is told where a mail is. The queue holds no copy of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet, Value
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from sending.models import QueuedEmail, Suppression

Status = QueuedEmail.Status
IS_SUPPRESSED = Exists(
    Suppression.objects.order_by().alias(address=Lower("email")).filter(address=Lower(OuterRef("email")))
)

SUPPRESS = """
INSERT INTO sending_suppression (email, reason, source, at) VALUES (%s, %s, %s, now())
ON CONFLICT (lower(email)) DO NOTHING
"""
REASONS = """
SELECT mail.id, suppression.reason FROM sending_queuedemail mail
JOIN sending_suppression suppression ON lower(suppression.email) = lower(mail.email)
WHERE mail.id = ANY(%(mails)s)
"""


def suppress(email: str, reason: str, source: str = "") -> bool:
    """Puts an address onto the list. False when it is there already: reason and time stay as they are."""
    with connection.cursor() as cursor:
        cursor.execute(SUPPRESS, [email, reason, source[:200]])
        return bool(cursor.rowcount)


def unsuppress(email: str) -> bool:
    """Takes an address off the list. False when it wasn't on it.

    What waits for it in the queue goes out, as if it had never been there; what was dropped stays dropped.
    """
    deleted = _of(email).delete()[0]
    return bool(deleted)


def suppression_of(email: str) -> Suppression | None:
    """Why and since when an address gets nothing."""
    return _of(email).first()


def reasons(mails: Iterable[int]) -> dict[int, str]:
    """Those of these mails (ids) whose address is suppressed, with the reason as it stands in a sentence."""
    with connection.cursor() as cursor:
        cursor.execute(REASONS, {"mails": list(mails)})
        return {mail: Suppression.Reason(reason).label.lower() for mail, reason in cursor.fetchall()}


def why_not_sent(mails: Iterable[QueuedEmail]) -> dict[int, str]:
    """Why those of these mails (by id) that wait will not be sent, and what becomes of them, in words.

    Such a mail stays pending, or waits for its retry, until the dispatcher comes to it and ends it as
    suppressed. One statement for a page of mails, and none where nothing waits.
    """
    waiting = [mail.pk for mail in mails if mail.status in (Status.PENDING, Status.RETRY)]
    if not waiting:
        return {}
    text = _("will not be sent: %(reason)s, so it ends as suppressed when its turn comes")
    return {mail: text % {"reason": reason} for mail, reason in reasons(waiting).items()}


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
