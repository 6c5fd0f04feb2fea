"""What a person can do with an import: upload, choose its columns, start, cancel. Workers do the rest."""

import csv
import io
import logging
import re
from collections.abc import Sequence
from datetime import timedelta
from email.utils import parseaddr
from typing import Any, BinaryIO

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts.words import number
from campaigns.actions import Refused
from campaigns.importing.action import checked_list_name, read_sample
from campaigns.importing.headers import check_fields
from campaigns.importing.limits import MAX_FILE
from campaigns.importing.refusal import ImportRefused
from campaigns.models import Import, ImportChunk
from sending.longwork import files, running

logger = logging.getLogger(__name__)
State = Import.State
# An upload that nobody starts is cancelled after this time; a finished one's file, kept for the
# sake of its refused rows, is removed.
KEEP_FILES = timedelta(days=7)


@transaction.atomic
def upload(
    file: BinaryIO, filename: str, *, list_name: str = "", reason: str = "", user: Any = None
) -> Import:
    """Keeps a file that is to go into a list, or with a reason onto the suppression list.

    Raises ImportRefused when it can't be read, or when it is too large.
    """
    size = file.seek(0, io.SEEK_END)
    if size > MAX_FILE:
        raise ImportRefused(
            _("The file is larger than %(size)s MB. Split it, and import the parts into the same list.")
            % {"size": number(MAX_FILE // 1000000)}
        )
    imported = Import.objects.create(
        filename=filename[-200:],
        size=size,
        list_name="" if reason else checked_list_name(list_name),
        reason=reason,
        sample=read_sample(file).as_dict(),
        created_by=user,
    )
    file.seek(0)
    files.keep(imported, file)
    _log(imported)
    return imported


@transaction.atomic
def paste(text: str, *, list_name: str = "", reason: str = "", user: Any = None) -> Import:
    """Imports addresses that were typed or pasted, at once: nothing of them has to be understood first."""
    table = io.StringIO()
    csv.writer(table).writerows([("email", "name"), *_pasted_people(text)])
    imported = upload(
        io.BytesIO(table.getvalue().encode()),
        _("Pasted addresses"),
        list_name=list_name,
        reason=reason,
        user=user,
    )
    fields = ["email", "" if reason else "name"]
    _move(imported, [State.UPLOADED], state=State.IMPORTING, fields=fields)
    return imported


@transaction.atomic
def choose_columns(imported: Import, fields: Sequence[str]) -> None:
    """Says what each column fills, and has a worker check the file so.

    Raises ImportRefused when the fields don't suit, Refused when the import has gone on meanwhile.
    """
    check_fields(fields)
    if len(fields) != len(imported.sample["columns"]):
        raise ImportRefused(_("The columns don't suit the file. Reload the page."))
    _move(imported, [State.UPLOADED, State.CHECKED], state=State.CHECKING, fields=list(fields))


@transaction.atomic
def start(imported: Import) -> None:
    """Has a worker import a file that was checked. Raises Refused for any other."""
    _move(imported, [State.CHECKED], state=State.IMPORTING)


@transaction.atomic
def cancel(imported: Import) -> None:
    """Ends an import that is not done, with nothing changed, even while a worker is at it."""
    unfinished = [state for state in State if state not in Import.FINAL]
    _move(imported, unfinished, state=State.CANCELLED, finished_at=Now())
    imported.chunks.all().delete()


def remove_old_files() -> int:
    """Cancels uploads that nobody has started for long, and removes old files; returns how many files."""
    old = Import.objects.filter(created_at__lt=Now() - KEEP_FILES)
    with transaction.atomic():
        old.filter(state__in=[State.UPLOADED, State.CHECKED]).update(state=State.CANCELLED, finished_at=Now())
        count = old.filter(Q(state__in=Import.FINAL), chunks__number=0).count()
        ImportChunk.objects.filter(of__in=old.filter(state__in=Import.FINAL)).delete()
    return count


def _move(imported: Import, expected: Sequence[str], **changes: Any) -> None:
    """Moves an import out of an expected state and out of any worker's hand, or raises Refused."""
    afresh = {**running.HELD_NO_MORE, "attempts": 0, "percent": 0, "rows_done": 0}
    moved = Import.objects.filter(pk=imported.pk, state__in=expected).update(**afresh, **changes)
    imported.refresh_from_db()
    if not moved:
        raise Refused(
            _("“%(file)s” is %(state)s already.")
            % {"file": imported, "state": imported.get_state_display().lower()}
        )
    _log(imported)
    if imported.is_in_work:
        running.wake_up()


def _log(imported: Import) -> None:
    logger.info("Import %s is %s", imported.pk, imported.state)


def _pasted_people(text: str) -> list[tuple[str, str]]:
    """(address, name) of each entry: one a line, or divided by commas, semicolons or white space."""
    people = []
    for entry in filter(None, map(str.strip, re.split(r"[,;\r\n]+", text))):
        if "<" in entry:
            name, address = parseaddr(entry)
            people.append((address or entry, name if address else ""))
        else:
            people += [(word, "") for word in entry.split()]
    if not people:
        raise ImportRefused(_("There is no address. Paste one a line."))
    return people
