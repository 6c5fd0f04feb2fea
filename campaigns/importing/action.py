"""What is done with a file of contacts: looked at, checked, imported. Command and admin call these."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, BinaryIO

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.importing import writing
from campaigns.importing.cleaning import clean_email, clean_value
from campaigns.importing.headers import IGNORED, Column, choose_columns, is_email_header, map_headers
from campaigns.importing.headers import suggest_columns as suggest
from campaigns.importing.people import Person, read_person
from campaigns.importing.refusal import ImportRefused
from campaigns.importing.report import ImportReport, RefusedRow
from campaigns.importing.table import Table
from campaigns.importing.text_file import read_text
from campaigns.importing.workbook import is_workbook, read_workbook
from campaigns.models import ContactList

MAX_LIST_NAME = ContactList._meta.get_field("name").max_length or 200
SAMPLE_ROWS = 8
SAMPLE_VALUE = 80  # characters of a value in a sample
Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Sample:
    """The start of a file: how it was read, its columns as understood, and its first rows (line, cells)."""

    source: str
    columns: list[Column]
    rows: list[Row]

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


def write_file(file: BinaryIO, report: ImportReport, fields: Sequence[str] | None = None) -> None:
    """As import_contacts, for a report that is looked at meanwhile, with the columns mapped to `fields`.

    A report with a reason sends the addresses onto the suppression list instead.
    """
    with transaction.atomic():
        _stage(file, report, fields)
        (writing.write_suppressions if report.reason else writing.write)(report)


def check_file(file: BinaryIO, report: ImportReport, fields: Sequence[str] | None = None) -> None:
    """Fills the report as write_file would, and changes nothing."""
    with transaction.atomic():
        _stage(file, report, fields)
        (writing.count_suppressions if report.reason else writing.count)(report)


def read_sample(file: BinaryIO) -> Sample:
    """How a file begins. Raises ImportRefused when it can't be read; no column need hold addresses."""
    table = _open_table(file)
    columns, rows = _columns_and_rows(table, suggest)
    start = [
        (line, [cell.strip()[:SAMPLE_VALUE] for cell in cells]) for line, cells in islice(rows, SAMPLE_ROWS)
    ]
    if not start:
        _refuse_only_a_header()
    return Sample(table.source, columns, start)


def refused_rows(file: BinaryIO, fields: Sequence[str]) -> Iterator[list[str | int]]:
    """A header, and each refused row: its line, why, and its cells as they are in the file."""
    columns, rows = _columns_and_rows(_open_table(file), _chosen(fields))
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


def _stage(file: BinaryIO, report: ImportReport, fields: Sequence[str] | None) -> None:
    table = _open_table(file)
    columns, rows = _columns_and_rows(table, map_headers if fields is None else _chosen(fields))
    report.source = table.source
    writing.stage(_people(rows, columns, report))
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


def _columns_and_rows(
    table: Table, understand: Callable[[Sequence[str]], list[Column]]
) -> tuple[list[Column], Iterator[Row]]:
    rows = ((line, cells) for line, cells in table.rows if any(cell.strip() for cell in cells))
    first = next(rows, None)
    if first is None:
        raise ImportRefused(_("The file is empty. Choose one with a header row and a row for each contact."))
    line, cells = first
    if any(map(is_email_header, cells)) or not any(map(_is_address, cells)):
        return understand(cells), rows
    if len(cells) > 1:
        raise ImportRefused(
            _(
                "The first row holds an address, not the names of the columns. "
                "Put a row such as “email, name” above it and import again."
            )
        )
    return [Column(0, "", "email")], _with_first((line, cells), rows)


def _chosen(fields: Sequence[str]) -> Callable[[Sequence[str]], list[Column]]:
    return lambda headers: choose_columns(headers, fields)


def _with_first(first: Row, rows: Iterator[Row]) -> Iterator[Row]:
    yield first
    yield from rows


def _is_address(cell: str) -> bool:
    try:
        clean_email(cell)
    except ValueError:
        return False
    return True


def _people(rows: Iterator[Row], columns: list[Column], report: ImportReport) -> Iterator[Person]:
    filled: set[str] = set()
    for line, cells in rows:
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
