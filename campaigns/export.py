"""The recipients of a campaign as a CSV file: written while it is sent, so that memory stays flat."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from defusedcsv import csv
from django.utils import timezone
from django.utils.translation import gettext as _

from sending.models import QueuedEmail, SendLog
from sending.selection import Selection, chunks
from sending.whereabouts import last_attempts

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Spreadsheets in East Asian locales take these for their narrow forms (OWASP, "CSV Injection").
WIDE_SIGNS = ("＝", "＋", "－", "＠")
BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for something else


class _Line:
    """A file that gives each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def recipients(selection: Selection) -> Iterator[str]:
    """The lines of the file, some thousand rows at a time. Every cell is safe in a spreadsheet."""
    writer = csv.writer(_Line())
    states = {value: str(label) for value, label in QueuedEmail.Status.choices}
    yield BYTE_ORDER_MARK + writer.writerow(_heading())
    for mails in chunks(selection):
        attempts = last_attempts(mail.pk for mail in mails)
        yield "".join(writer.writerow(_row(mail, attempts.get(mail.pk), states)) for mail in mails)


def _heading() -> list[str]:
    time = _("time (%s)") % timezone.get_current_timezone_name()
    names = _("address"), _("name"), _("state"), _("account"), time, _("attempts"), _("code")
    return [*names, _("enhanced code"), _("last reply")]


def _row(mail: QueuedEmail, attempt: SendLog | None, states: dict[str, str]) -> Iterable[object]:
    dropped = mail.status in (QueuedEmail.Status.CANCELLED, QueuedEmail.Status.SUPPRESSED)
    at = attempt.at if attempt and not dropped else mail.finished_at
    account = mail.account or (attempt.account if attempt else None)
    return [
        safe(mail.email),
        safe(mail.contact.name if mail.contact else ""),
        states[mail.status],
        safe(account.email if account else ""),
        _moment(at),
        mail.attempts,
        attempt.code if attempt else None,
        safe(attempt.enhanced_code if attempt else ""),
        safe(attempt.text if attempt else mail.last_reply),
    ]


def safe(text: str) -> str:
    """The text on one line: no tab or line break at its beginning hides a formula from defusedcsv."""
    text = CONTROL.sub(" ", text).strip()
    return f"'{text}" if text.startswith(WIDE_SIGNS) else text


def _moment(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}" if at else ""
