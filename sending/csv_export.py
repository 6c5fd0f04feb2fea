"""Tables as CSV for a browser to save, in pieces, whatever their length."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from defusedcsv import csv
from django.http import StreamingHttpResponse

BOM = "\ufeff"  # by which Excel sees that it is UTF-8
PIECE = 500  # rows
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# Spreadsheets in East Asian locales take these for their narrow forms (OWASP, "CSV Injection").
WIDE_SIGNS = ("＝", "＋", "－", "＠")


class _Echo:
    """What csv.writer writes to: it hands each row back."""

    def write(self, row: str) -> str:
        return row


def stream(filename: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """A download. Cells that a spreadsheet would take for a formula are made text."""
    return StreamingHttpResponse(
        lines(header, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"},
    )


def lines(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """The file, in pieces of many lines."""
    writer, rest = csv.writer(_Echo()), iter(rows)
    yield BOM + writer.writerow(header)
    while piece := list(islice(rest, PIECE)):
        yield "".join(writer.writerow([_safe(cell) for cell in row]) for row in piece)


def _safe(cell: Any) -> Any:
    """A text on one line: no tab or line break at its beginning hides a formula from defusedcsv."""
    if not isinstance(cell, str):
        return cell
    text = CONTROL.sub(" ", cell).strip()
    return f"'{text}" if text.startswith(WIDE_SIGNS) else text
