"""What a person can do with an export: ask for it, cancel it. A worker makes the file."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from tempfile import TemporaryFile
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext_lazy as _lazy

from sending import csv_export
from sending.exporting.models import Export
from sending.exporting.sources import SOURCES, Wanted
from sending.longwork import files, running
from sending.longwork.running import HELD_NO_MORE, Progress

logger = logging.getLogger(__name__)
KEEP = timedelta(days=7)  # then an export is removed with its file
GIVEN_UP = _lazy("The worker ended three times while it made this file. See the worker's log.")
FAILED = _lazy("The file could not be made (%s). See the worker's log.")


@transaction.atomic
def begin(source: str, wanted: Wanted, *, title: str, filename: str, user: Any) -> Export:
    """Has a worker make the file of a source's wanted rows."""
    export = Export.objects.create(
        source=source,
        wanted=wanted,
        title=title[:250],
        filename=filename[-250:],
        language=translation.get_language() or "en",
        created_by=user,
    )
    running.wake_up()
    logger.info("Export %s of %s waits for a worker", export.pk, source)
    return export


def cancel(export: Export) -> bool:
    """Ends an export that is not done; False when it was."""
    ours = Export.objects.filter(pk=export.pk, state__in=Export.IN_WORK)
    done = ours.update(state=Export.State.CANCELLED, finished_at=Now(), **HELD_NO_MORE)
    return bool(done)


def remove_old() -> int:
    """Removes exports that are older than a week, with their files; returns how many."""
    old = Export.objects.filter(state__in=Export.FINAL, finished_at__lt=Now() - KEEP)
    _, removed = old.delete()
    return removed.get("sending.Export", 0)


def run(export: Export, progress: Progress) -> dict[str, Any]:
    """A worker's part, as sending.longwork runs it."""
    source = SOURCES[export.source]
    with translation.override(export.language), TemporaryFile() as file:
        progress.total = source.rows(export.wanted).order_by().count()
        heading, rows = source.table(export.wanted)
        for lines in csv_export.lines(heading, _followed(rows, progress)):
            file.write(lines.encode())
        running.check_is_ours(export)
        size = file.tell()
        file.seek(0)
        files.keep(export, file)
    return {"state": Export.State.DONE, "size": size, "rows_done": progress.rows}


def _followed(rows: Iterable[Sequence[Any]], progress: Progress) -> Iterator[Sequence[Any]]:
    for row in rows:
        yield row
        progress.step(1)
