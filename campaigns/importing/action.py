"""What is done with a file of contacts: looked at, checked, imported. Command and admin call these."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, BinaryIO

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.importing import writing
from campaigns.importing.cleaning import clean_value, is_address
from campaigns.importing.headers import (
    IGNORED,
    Column,
    choose_columns,
    is_email_header,
    map_headers,
    suggest_columns,
)
from campaigns.importing.people import Person, read_person
from campaigns.importing.refusal import ImportRefused
from campaigns.importing.report import ImportReport, RefusedRow
from campaigns.importing.table import Table
from campaigns.importing.text_file import read_text
from campaigns.importing.workbook import is_workbook, read_workbook
from campaigns.models import ContactList

MAX_LIST_NAME = ContactList._meta.get_field("name").max_length or 200
SAMPLE_ROWS = 8
LOOKED_AT = 100  # rows, by which the column of the addresses is guessed
SAMPLE_VALUE = 80  # characters of a value in a sample
Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Sample:
    """The start of a file: how it was read, its columns as understood, and its first rows (line, cells).

    has_header: whether its first row names the columns.
    """

    source: str
    columns: list[Column]
    rows: list[Row]
    has_header: bool = True

    def as_dict(self) -> dict[str, Any]:
        """All of it in JSON's types."""
        return asdict(self)


def import_contacts(file: BinaryIO, filename: str, list_name: str) -> ImportReport:
    """Puts the contacts of a CSV or XLSX file into the list of that name, which is made if need be.

    An address that is there already gets the file's values where the file has one; nothing is ever
    emptied, and the same file twice changes nothing. All of it in one transaction. `file` must be
    seekable. Raises ImportRefused, with nothing changed, when the file can't be used as a whole; rows
    that can't be used are in the report.
    """
    report = ImportReport(filename, checked_list_name(list_name))
    write_file(file, report)
    return report


def _nothing() -> None: ...


def write_file(
    file: BinaryIO,
    report: ImportReport,
    fields: Sequence[str] | None = None,
    on_row: Callable[[], None] = _nothing,
) -> None:
    """As import_contacts, for a report that is looked at meanwhile, with the columns mapped to `fields`.

    A report with a reason sends the addresses onto the suppression list instead. on_row is called for each
    row that is read; what it raises ends the import, with nothing changed.
    """
    with transaction.atomic():
        _stage(file, report, fields, on_row)
        (writing.write_suppressions if report.reason else writing.write)(report)


def check_file(
    file: BinaryIO,
    report: ImportReport,
    fields: Sequence[str] | None = None,
    on_row: Callable[[], None] = _nothing,
) -> None:
    """Fills the report as write_file would, and changes nothing."""
    with transaction.atomic():
        _stage(file, report, fields, on_row)
        (writing.count_suppressions if report.reason else writing.count)(report)


def read_sample(file: BinaryIO) -> Sample:
    """How a file begins. Raises ImportRefused when it can't be read; no column need hold addresses."""
    table = _open_table(file)
    headers, rows = _headers_and_rows(table)
    start = list(islice(rows, LOOKED_AT))
    if not start:
        _refuse_only_a_header()
    columns = _suggested(headers, [cells for _line, cells in start])
    shown = [(line, [cell.strip()[:SAMPLE_VALUE] for cell in cells]) for line, cells in start[:SAMPLE_ROWS]]
    return Sample(table.source, columns, shown, has_header=bool(headers))


def refused_rows(file: BinaryIO, fields: Sequence[str]) -> Iterator[list[str | int]]:
    """A header, and each refused row: its line, why, and its cells as they are in the file."""
    columns, rows = _columns_and_rows(_open_table(file), fields)
    yield ["line", "reason", *(column.header for column in columns)]
    for line, cells in rows:
        refused = read_person(line, cells, columns)
        if isinstance(refused, RefusedRow):
            yield [line, refused.reason, *cells]


def checked_list_name(list_name: str) -> str:
    """The name as it is kept. Raises ImportRefused for one that is empty or too long."""
    name = clean_value(list_name)
    if not name or len(name) > MAX_LIST_NAME:
        raise ImportRefused(_("Give the list a name of 1 to %(most)s characters.") % {"most": MAX_LIST_NAME})
    return name


def _stage(
    file: BinaryIO, report: ImportReport, fields: Sequence[str] | None, on_row: Callable[[], None]
) -> None:
    table = _open_table(file)
    columns, rows = _columns_and_rows(table, fields)
    report.source = table.source
    writing.stage(_people(rows, columns, report, on_row))
    if not report.read:
        _refuse_only_a_header()


def _open_table(file: BinaryIO) -> Table:
    if not file.seekable():
        raise ImportRefused(
            _("The contacts must come from a file on disk. Save them to one and import that.")
        )
    file.seek(0)
    start = file.read(8)
    if not start:
        raise ImportRefused(_("The file is empty. Choose one with a header row and a row for each contact."))
    return read_workbook(file) if is_workbook(start) else read_text(file)


def _columns_and_rows(table: Table, fields: Sequence[str] | None) -> tuple[list[Column], Iterator[Row]]:
    """The columns, mapped to these fields or by their names, and the rows below."""
    headers, rows = _headers_and_rows(table)
    if headers:
        return (map_headers(headers) if fields is None else choose_columns(headers, fields)), rows
    first = next(rows)
    rows = _with_first(first, rows)
    if len(first[1]) == 1:
        return _ADDRESSES_ALONE, rows
    if fields is None:
        raise ImportRefused(
            _(
                "The first row holds an address, not the names of the columns. "
                "Put a row such as “email, name” above it and import again."
            )
        )
    return choose_columns(_numbered(first[1]), fields), rows


def _headers_and_rows(table: Table) -> tuple[list[str], Iterator[Row]]:
    """The names of the columns, none where the first row holds an address already; and the rows below."""
    rows = ((line, cells) for line, cells in table.rows if any(cell.strip() for cell in cells))
    first = next(rows, None)
    if first is None:
        raise ImportRefused(_("The file is empty. Choose one with a header row and a row for each contact."))
    cells = first[1]
    if any(map(is_email_header, cells)) or not any(map(is_address, cells)):
        return cells, rows
    return [], _with_first(first, rows)


_ADDRESSES_ALONE = [Column(0, "", "email")]


def _suggested(headers: list[str], cells: list[list[str]]) -> list[Column]:
    """The columns by their names, or by the cells of the first rows."""
    if headers:
        return suggest_columns(headers, cells)
    return _ADDRESSES_ALONE if len(cells[0]) == 1 else suggest_columns(_numbered(cells[0]), cells)


def _numbered(cells: Sequence[str]) -> list[str]:
    """Names for the columns of a file that names none."""
    return [_("Column %(number)s") % {"number": place} for place in range(1, len(cells) + 1)]


def _with_first(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def _people(
    rows: Iterator[Row], columns: list[Column], report: ImportReport, on_row: Callable[[], None]
) -> Iterator[Person]:
    filled: set[str] = set()
    for line, cells in rows:
        on_row()
        report.read += 1
        person = read_person(line, cells, columns)
        if isinstance(person, RefusedRow):
            report.refuse(person)
        else:
            filled.update(person.attributes)
            yield person
    report.fields = {
        column.field: column.header
        for column in columns
        if column.field != IGNORED and (column.header or column.field in {"email", *filled})
    }


def _refuse_only_a_header() -> None:
    raise ImportRefused(_("The file holds only a header row. Add a row for each contact and import again."))
