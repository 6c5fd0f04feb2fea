"""Tables as CSV for a browser to save, row by row, whatever their length."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from defusedcsv import csv
from django.http import StreamingHttpResponse

BOM = "\ufeff"  # by which Excel sees that it is UTF-8


class _Echo:
    """What csv.writer writes to: it hands each row back."""

    def write(self, row: str) -> str:
        return row


def stream(filename: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download. Cells that a spreadsheet would take for a formula are made text (defusedcsv)."""
    return StreamingHttpResponse(
        _lines(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"},
    )


def _lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield BOM + writer.writerow(header)
    for row in rows:
        yield writer.writerow(row)
