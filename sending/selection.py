"""Some of a campaign's mails, page by page: in a state, with a class of reply, of an address.

A page begins behind the last row of the one before (a key, no number), so that the thousandth costs as
much as the first. Rows come in an order in which an index holds them: without a state by address, else
in the order of the queue.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat, Lower
from django.utils.translation import gettext_lazy as _

from sending.models import QueuedEmail, SendLog
from sending.replies import Scope

PAGE = 50
CHUNK = 2000
Status = QueuedEmail.Status
Outcome = SendLog.Outcome

# What the last reply to a mail was about, and whether for good: the judge's scope, the ledger's outcome.
REPLIES = {
    f"{scope}-{outcome}": label
    for scope, outcome, label in (
        (Scope.RECIPIENT, Outcome.FAILED, _("Recipient refused for good")),
        (Scope.RECIPIENT, Outcome.RETRY, _("Recipient refused for the moment")),
        (Scope.CONTENT, Outcome.FAILED, _("Message refused for good")),
        (Scope.CONTENT, Outcome.RETRY, _("Message refused for the moment")),
        (Scope.ACCOUNT, Outcome.RETRY, _("Account refused for the moment")),
        (Scope.CONNECTION, Outcome.RETRY, _("Connection lost")),
        (Scope.UNKNOWN, Outcome.UNCERTAIN, _("Accepted or not: no answer")),
    )
}
# Only mails in these states are told apart by their reply; each state has an index, or few rows.
REFUSED = Q(status=Status.FAILED) | Q(status=Status.RETRY) | Q(status=Status.UNCERTAIN)


@dataclass(frozen=True)
class Selection:
    """status, reply (a key of REPLIES): "" for all. address: its beginning, in any case."""

    campaign: int
    status: str = ""
    reply: str = ""
    address: str = ""

    @property
    def is_by_address(self) -> bool:
        """Whether rows come by address; else in the order of the queue."""
        return bool(self.address) or not (self.status or self.reply)

    def mails(self) -> QuerySet[QueuedEmail]:
        """All of them, in order."""
        mails: Any = QueuedEmail.objects.filter(campaign=self.campaign).alias(address=Lower("email"))
        if self.status:
            mails = mails.filter(status=self.status)
        if self.address:
            mails = mails.filter(address__startswith=self.address.strip().lower())
        if self.reply:
            mails = _answered(mails, self.reply)
        return mails.order_by("address" if self.is_by_address else "id")

    def key(self, mail: QueuedEmail) -> str:
        """What names the place of this mail in the order."""
        return mail.email.lower() if self.is_by_address else str(mail.pk)

    def behind(self, key: str) -> Q:
        """The rows behind this place. Raises ValueError for what is no place."""
        return Q(address__gt=key) if self.is_by_address else Q(pk__gt=int(key))

    def ahead(self, key: str) -> Q:
        """The rows ahead of this place. Raises ValueError for what is no place."""
        return Q(address__lt=key) if self.is_by_address else Q(pk__lt=int(key))


@dataclass(frozen=True)
class Page:
    """previous, next: keys for the pages around it, "" where there is none."""

    mails: list[QueuedEmail]
    previous: str = ""
    next: str = ""


def page(selection: Selection, *, after: str = "", before: str = "", size: int = PAGE) -> Page:
    """The page behind or ahead of a key; the first one without a key, or where it is none."""
    mails = selection.mails().select_related("account")
    try:
        if before:
            return _page_ahead(selection, mails.filter(selection.ahead(before)).reverse(), size)
        if after:
            mails = mails.filter(selection.behind(after))
    except ValueError:
        after = ""
    rows = list(mails[: size + 1])
    shown = rows[:size]
    return Page(
        shown,
        previous=selection.key(shown[0]) if after and shown else "",
        next=selection.key(shown[-1]) if len(rows) > size else "",
    )


def _page_ahead(selection: Selection, backwards: QuerySet[QueuedEmail], size: int) -> Page:
    rows = list(backwards[: size + 1])
    shown = rows[:size][::-1]
    if not shown:
        return page(selection, size=size)
    previous = selection.key(shown[0]) if len(rows) > size else ""
    return Page(shown, previous=previous, next=selection.key(shown[-1]))


def chunks(selection: Selection, size: int = CHUNK) -> Iterator[list[QueuedEmail]]:
    """All rows, with account and contact, so many at a time: no transaction stays open between two.

    Each row comes once at most; one that changes its state meanwhile may be left out.
    """
    mails = selection.mails().select_related("account", "contact")
    rows = list(mails[:size])
    while rows:
        yield rows
        rows = list(mails.filter(selection.behind(selection.key(rows[-1])))[:size])


def _answered(mails: QuerySet[QueuedEmail], reply: str) -> QuerySet[QueuedEmail]:
    newest = SendLog.objects.filter(queued_email=OuterRef("pk")).order_by("-id")
    kind = newest.annotate(kind=Concat("scope", Value("-"), "outcome")).values("kind")[:1]
    return mails.filter(REFUSED).alias(reply=Subquery(kind)).filter(reply=reply)
