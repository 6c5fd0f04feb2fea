"""The recipients of a campaign as a table, read while it is sent, so that memory stays flat."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from sending.models import QueuedEmail, SendLog
from sending.selection import Selection, chunks
from sending.suppression import why_not_sent
from sending.whereabouts import last_attempts

PERMISSIONS = ("campaigns.view_campaign", "sending.view_queuedemail", "campaigns.view_contact")


def recipients(selection: Selection) -> Iterator[Sequence[object]]:
    """A row for each mail, some thousand read at a time."""
    states = {value: str(label) for value, label in QueuedEmail.Status.choices}
    for mails in chunks(selection):
        attempts = last_attempts(mail.pk for mail in mails)
        not_sent = why_not_sent(mails)
        for mail in mails:
            yield [*_row(mail, attempts.get(mail.pk), states), not_sent.get(mail.pk, "")]


def chosen(wanted: Mapping[str, Any]) -> QuerySet[QueuedEmail]:
    """The mails that an export wants: a Selection's fields by name."""
    return Selection(**wanted).mails()


def table(wanted: Mapping[str, Any]) -> tuple[list[str], Iterator[Sequence[object]]]:
    """The same as a heading and rows."""
    return heading(), recipients(Selection(**wanted))


def heading() -> list[str]:
    """The names of the columns."""
    time = _("time (%s)") % timezone.get_current_timezone_name()
    names = _("address"), _("name"), _("state"), _("account"), time, _("attempts"), _("code")
    return [*names, _("enhanced code"), _("last reply"), _("note")]


def _row(mail: QueuedEmail, attempt: SendLog | None, states: dict[str, str]) -> Sequence[object]:
    dropped = mail.status in (QueuedEmail.Status.CANCELLED, QueuedEmail.Status.SUPPRESSED)
    at = attempt.at if attempt and not dropped else mail.finished_at
    account = mail.account or (attempt.account if attempt else None)
    return [
        mail.email,
        mail.contact.name if mail.contact else "",
        states[mail.status],
        account.email if account else "",
        _moment(at),
        mail.attempts,
        attempt.code if attempt else None,
        attempt.enhanced_code if attempt else "",
        attempt.text if attempt else mail.last_reply,
    ]


def _moment(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}" if at else ""
