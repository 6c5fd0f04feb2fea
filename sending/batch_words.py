"""What a batch came to, in one sentence: the worker's log and the dashboard say the same."""

from dataclasses import dataclass
from typing import Protocol

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.words import number


class Counted(Protocol):
    """A batch, or what its settling counted: mails by what became of them."""

    @property
    def sent(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def retried(self) -> int: ...
    @property
    def uncertain(self) -> int: ...


@dataclass(frozen=True)
class Clause:
    """A part of the sentence. tone: "bad", "warning" or "", as of a chip."""

    text: str
    tone: str = ""


def clauses(batch: Counted, size: int) -> list[Clause]:
    """The parts of “Batch sent: 10 emails, 0 failures.”; the others stand there where there are any.

    size: mails that were claimed; those that became nothing else went back to the queue.
    """
    sent = ngettext("Batch sent: %(count)s email", "Batch sent: %(count)s emails", batch.sent)
    failed = ngettext("%(count)s failure", "%(count)s failures", batch.failed)
    told = [
        Clause(sent % {"count": number(batch.sent)}),
        Clause(failed % {"count": number(batch.failed)}, "bad" if batch.failed else ""),
    ]
    returned = size - batch.sent - batch.failed - batch.retried - batch.uncertain
    others = (
        (batch.retried, _("%(count)s to be tried again"), ""),
        (batch.uncertain, _("%(count)s uncertain"), "warning"),
        (returned, _("%(count)s returned to the queue"), ""),
    )
    return told + [Clause(text % {"count": number(n)}, tone) for n, text, tone in others if n > 0]


def sentence(batch: Counted, size: int, remaining: int) -> str:
    """For the log: “Batch sent: 10 emails, 0 failures. Queue remaining: 234”."""
    told = ", ".join(clause.text for clause in clauses(batch, size))
    return f"{told}. {told_remaining(remaining)}"


def told_remaining(count: int) -> str:
    """How many mails wait after it: pending ones and those that wait for a retry."""
    return _("Queue remaining: %(count)s") % {"count": number(count)}
