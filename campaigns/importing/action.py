"""The action behind the command and the admin's page."""

from collections.abc import Iterator
from typing import BinaryIO

from django.db import transaction

from campaigns.importing import writing
from campaigns.importing.cleaning import clean_email, clean_value
from campaigns.importing.headers import Column, is_email_header, map_headers
from campaigns.importing.people import Person, read_person
from campaigns.importing.refusal import ImportRefused
from campaigns.importing.report import ImportReport, RefusedRow
from campaigns.importing.table import Table
from campaigns.importing.text_file import read_text
from campaigns.importing.workbook import is_workbook, read_workbook
from campaigns.models import ContactList

MAX_LIST_NAME = ContactList._meta.get_field("name").max_length or 200


def import_contacts(file: BinaryIO, filename: str, list_name: str) -> ImportReport:
    """Puts the contacts of a CSV or XLSX file into the list of that name, which is made if need be.

    An address that is there already gets the file's values where the file has one; nothing is ever
    emptied, and the same file twice changes nothing. All of it in one transaction. `file` must be
    seekable. Raises ImportRefused, with nothing changed, when the file can't be used as a whole; rows
    that can't be used are in the report.
    """
    report = ImportReport(filename, _checked_list_name(list_name))
    table = _open_table(file)
    columns, rows = _columns_and_rows(table)
    report.source = table.source
    with transaction.atomic():
        writing.stage(_people(rows, columns, report))
        _refuse_nothing_but_a_header(report)
        writing.write(report)
    return report


def _checked_list_name(list_name: str) -> str:
    name = clean_value(list_name)
    if not name or len(name) > MAX_LIST_NAME:
        raise ImportRefused(f"Give the list a name of 1 to {MAX_LIST_NAME} characters.")
    return name


def _open_table(file: BinaryIO) -> Table:
    if not file.seekable():
        raise ImportRefused("The contacts must come from a file on disk. Save them to one and import that.")
    file.seek(0)
    start = file.read(8)
    if not start:
        raise ImportRefused("The file is empty. Choose one with a header row and a row for each contact.")
    return read_workbook(file) if is_workbook(start) else read_text(file)


def _columns_and_rows(table: Table) -> tuple[list[Column], Iterator[tuple[int, list[str]]]]:
    rows = ((line, cells) for line, cells in table.rows if any(cell.strip() for cell in cells))
    first = next(rows, None)
    if first is None:
        raise ImportRefused("The file is empty. Choose one with a header row and a row for each contact.")
    line, cells = first
    if any(map(is_email_header, cells)) or not any(map(_is_address, cells)):
        return map_headers(cells), rows
    if len(cells) > 1:
        raise ImportRefused(
            "The first row holds an address, not the names of the columns. "
            "Put a row such as “email, name” above it and import again."
        )
    return [Column(0, "", "email")], _with_first((line, cells), rows)


def _with_first(
    first: tuple[int, list[str]], rows: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[str]]]:
    yield first
    yield from rows


def _is_address(cell: str) -> bool:
    try:
        clean_email(cell)
    except ValueError:
        return False
    return True


def _people(
    rows: Iterator[tuple[int, list[str]]], columns: list[Column], report: ImportReport
) -> Iterator[Person]:
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
        if column.header or column.field in {"email", *filled}
    }


def _refuse_nothing_but_a_header(report: ImportReport) -> None:
    if not report.read:
        raise ImportRefused("The file holds only a header row. Add a row for each contact and import again.")
