"""A worker's part of an import, as sending.longwork runs it: the check, then the import itself."""

from typing import Any

from django.utils.translation import gettext_lazy as _lazy

from campaigns.importing.action import check_file, write_file
from campaigns.importing.report import ImportReport
from campaigns.models import Import
from sending.longwork.files import kept_file
from sending.longwork.running import Progress

State = Import.State
READING = 60  # percent of the progress bar for reading the file; each step of writing has STEP
STEP = 10
GIVEN_UP = _lazy(
    "The worker ended three times in the midst of this file, and nothing was changed. Split the file and "
    "import its parts; if that fails, too, ask whoever looks after the server: the log there says why."
)
FAILED = _lazy("The import failed (%s), and nothing was changed.")


def run(imported: Import, progress: Progress) -> dict[str, Any]:
    """Does the step that the import is at; returns its next state, and the report."""
    report = ImportReport(imported.filename, imported.list_name, imported.reason)
    is_check = imported.state == State.CHECKING
    with kept_file(imported) as file:

        def measure() -> tuple[int, int]:
            # Before the first row, what was read only told how the file is encoded.
            read = int(READING * file.tell() / imported.size) if report.read else 0
            return report.read, read + STEP * report.steps

        progress.measure = measure
        try:
            (check_file if is_check else write_file)(file, report, imported.fields, progress.go_on)
        finally:
            progress.measure = lambda: (report.read, 99)  # the file is about to be closed
    if not is_check and not report.refused:
        imported.chunks.all().delete()
    state = State.CHECKED if is_check else State.DONE
    return {"state": state, "report": report.as_dict(), "rows_done": report.read}
