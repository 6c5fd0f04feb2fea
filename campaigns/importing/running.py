"""A worker's part of an import: one at a time, all or nothing, given up as soon as it is taken away.

The import's row says who has it (token) and until when (lease). A thread renews the lease and writes
the progress on a connection of its own. The worker's last statement moves the row on, in the same
transaction as the contacts, and only while the token is still the worker's: so one that was cancelled,
or that is done by another worker by now, rolls back. Done means all of it, anything else nothing.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from uuid import uuid4

from django.db import (
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from campaigns.importing.action import check_file, write_file
from campaigns.importing.refusal import ImportRefused
from campaigns.importing.report import ImportReport
from campaigns.models import Import
from sending import drain

logger = logging.getLogger(__name__)
State = Import.State
LEASE = timedelta(seconds=15)
RENEW_EVERY = 0.5  # seconds: as often the page may show something new
MOST_ATTEMPTS = 3
READING = 60  # percent of the progress bar for reading the file; each step of writing has STEP
STEP = 10
HELD_NO_MORE = {"slot": None, "token": None, "lease": None}
GIVEN_UP = _lazy(
    "The worker ended three times in the midst of this file, and nothing was changed. Split the file and "
    "import its parts; if that fails, too, see the worker's log."
)


class Interrupted(Exception):
    """The import is not this worker's any more, or the worker has to end."""


def run_next() -> Import | None:
    """Does the next step of the import that waits longest; None when none does, or one is at work."""
    imported = _claim()
    if imported is None:
        return None
    try:
        _work(imported)
    except ImportRefused as refusal:
        _refuse(imported, str(refusal))
    except Interrupted:
        _give_back(imported)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the lease runs out, and a worker begins again
    except Exception as error:
        kind = type(error).__name__
        logger.error("Import %s failed: %s", imported.pk, kind)  # its text may hold addresses
        _refuse(imported, _("The import failed (%(kind)s), and nothing was changed.") % {"kind": kind})
    imported.refresh_from_db()
    return imported


def is_any_waiting() -> bool:
    """Whether an import waits for a worker."""
    return Import.objects.filter(state__in=Import.IN_WORK, slot=None).exists()


@contextmanager
def kept_file(imported: Import) -> Iterator[BinaryIO]:
    """The import's file, on this host's disk while the block lasts. Raises ImportRefused when it is gone."""
    with TemporaryFile() as file:
        for content in (
            imported.chunks.order_by("number").values_list("content", flat=True).iterator(chunk_size=1)
        ):
            file.write(content)
        if file.tell() != imported.size:
            raise ImportRefused(_("The file is not kept any more. Upload it again."))
        file.seek(0)
        yield file


def _claim() -> Import | None:
    waiting = Import.objects.filter(state__in=Import.IN_WORK)
    waiting.filter(lease__lt=Now()).update(**HELD_NO_MORE)
    waiting.filter(slot=None, attempts__gte=MOST_ATTEMPTS).update(
        state=State.REFUSED, finished_at=Now(), refusal=GIVEN_UP
    )
    imported = waiting.filter(slot=None).order_by("id").first()
    if imported is None:
        return None
    imported.token = uuid4()
    claim = waiting.filter(pk=imported.pk, state=imported.state, slot=None)
    try:
        with transaction.atomic():
            claimed = claim.update(
                slot=1,
                token=imported.token,
                lease=Now() + LEASE,
                attempts=F("attempts") + 1,
                rows_read=0,
                percent=0,
            )
    except IntegrityError:  # another worker is at another import
        return None
    return imported if claimed else None


def _work(imported: Import) -> None:
    report = ImportReport(imported.filename, imported.list_name, imported.reason)
    is_check = imported.state == State.CHECKING
    with kept_file(imported) as file, _Follower(imported, file, report) as follower, transaction.atomic():
        try:
            (check_file if is_check else write_file)(file, report, imported.fields)
        finally:
            follower.end()  # before anything is rolled back, which must not be cut
        _finish(
            imported,
            State.CHECKED if is_check else State.DONE,
            report=report.as_dict(),
            rows_read=report.read,
        )
        if not is_check and not report.refused:
            imported.chunks.all().delete()


def _finish(imported: Import, state: str, **changes: Any) -> None:
    """Moves the import on while it is ours, or raises Interrupted."""
    if state in Import.FINAL:
        changes["finished_at"] = Now()
    mine = Import.objects.filter(pk=imported.pk, token=imported.token)
    if not mine.update(state=state, percent=100, attempts=0, **HELD_NO_MORE, **changes):
        raise Interrupted
    logger.info("Import %s is %s", imported.pk, state)


def _refuse(imported: Import, reason: str) -> None:
    with suppress(Interrupted):
        _finish(imported, State.REFUSED, refusal=reason[:1000])


def _give_back(imported: Import) -> None:
    """To be begun again by another worker: this one was told to end, which costs no attempt."""
    mine = Import.objects.filter(pk=imported.pk, token=imported.token)
    if mine.update(attempts=F("attempts") - 1, rows_read=0, percent=0, **HELD_NO_MORE):
        logger.info("Import %s waits for another worker", imported.pk)


class _Follower:
    """A thread that writes the progress, and cuts the work short when it is over before its time."""

    def __init__(self, imported: Import, file: BinaryIO, report: ImportReport) -> None:
        self.imported, self.file, self.report = imported, file, report
        self.is_over = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "_Follower":
        connection.ensure_connection()
        self._working = connection.connection
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def end(self) -> None:
        """The work is done: nothing is cut any more. Raises Interrupted when it was over before."""
        self.__exit__()
        if self.is_over:
            raise Interrupted

    def _follow(self) -> None:
        try:
            while not self._ended.wait(RENEW_EVERY):
                self.is_over = self.is_over or drain.stopping.is_set() or not self._renew()
                if self.is_over:
                    self._working.cancel_safe(timeout=2)
        finally:
            connection.close()  # the thread's own

    def _renew(self) -> bool:
        """False when the import is another's, or cancelled."""
        mine = Import.objects.filter(pk=self.imported.pk, token=self.imported.token)
        try:
            return bool(mine.update(lease=Now() + LEASE, rows_read=self.report.read, percent=self._percent()))
        except Error as error:
            logger.warning(
                "The progress of import %s can't be written: %s", self.imported.pk, type(error).__name__
            )
            connection.close()
            return True

    def _percent(self) -> int:
        if not self.report.read:  # what was read up to here only told how the file is encoded
            return 0
        return int(READING * self.file.tell() / self.imported.size) + STEP * self.report.steps
