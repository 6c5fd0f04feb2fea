"""Reads CSV and its kin: any delimiter of the usual four, quoted fields over several lines."""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from accounts.words import number
from campaigns.importing.encoding import find_encoding, row_too_long
from campaigns.importing.headers import is_email_header
from campaigns.importing.limits import BLOCK, MAX_ROW
from campaigns.importing.refusal import ImportRefused
from campaigns.importing.table import Table

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
# Excel takes such a first line as the name of the delimiter, and writes it.
SEP_LINE = re.compile(r'\s*"?sep=([,;\t|])"?;*\s*', re.IGNORECASE)


def read_text(file: BinaryIO) -> Table:
    """The rows of a seekable text file; its encoding and delimiter are found out."""
    encoding = find_encoding(file)
    try:
        head = _open(file, encoding).read(BLOCK)
    except UnicodeError as error:
        raise _undecodable(encoding) from error
    delimiter = find_delimiter(head)
    rows = _read_rows(_Lines(_open(file, encoding)), delimiter, encoding)
    return Table(
        _("text, %(encoding)s, delimiter %(delimiter)s")
        % {"encoding": encoding, "delimiter": DELIMITERS[delimiter]},
        rows,
    )


def find_delimiter(head: str) -> str:
    """The delimiter by which the first row has an e-mail column, and the most columns."""
    if named := SEP_LINE.match(head):
        return named[1]
    rows = {delimiter: _first_row(head, delimiter) for delimiter in DELIMITERS}
    return max(DELIMITERS, key=lambda each: (any(map(is_email_header, rows[each])), len(rows[each])))


def _first_row(head: str, delimiter: str) -> list[str]:
    try:
        rows = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter, skipinitialspace=True)
        return next((row for row in rows if any(row)), [])
    except csv.Error:
        return []


class _Raw(io.RawIOBase):
    """Gives any binary file the interface that io.BufferedReader needs, and leaves it open."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _open(file: BinaryIO, encoding: str) -> io.TextIOWrapper:
    file.seek(0)
    return io.TextIOWrapper(io.BufferedReader(_Raw(file), BLOCK), encoding=encoding, newline="")


class _Lines:
    """The lines of a file, counted, and never more of them for one row than a row may hold."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text = text
        self.lines = 0
        self.row_start = 1
        self.row_size = 0
        self.ended = False

    def start_row(self) -> None:
        self.row_start = self.lines + 1
        self.row_size = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.text.readline(MAX_ROW + 1 - self.row_size)
        if not line:
            self.ended = True
            raise StopIteration
        self.lines += 1
        self.row_size += len(line)
        if self.row_size > MAX_ROW:
            raise row_too_long(self.row_start)
        return line


def _read_rows(lines: _Lines, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    while True:
        lines.start_row()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise ImportRefused(
                _(
                    "The row that begins in line %(line)s can't be read (%(error)s). Most often a "
                    "quotation mark in it is never closed. Mend that line and import the file again."
                )
                % {"line": number(lines.row_start), "error": error}
            ) from error
        except UnicodeError as error:
            raise _undecodable(encoding) from error
        if cells is None:
            return
        if lines.ended:  # csv.reader asks for more in the midst of a row only inside quotes
            raise ImportRefused(
                _(
                    "A quotation mark in the row that begins in line %(line)s is never closed, so all "
                    "lines after it would be lost in one value. Close it and import the file again."
                )
                % {"line": number(lines.row_start)}
            )
        if lines.row_start > 1 or not SEP_LINE.fullmatch(delimiter.join(cells)):
            yield lines.row_start, cells


def _undecodable(encoding: str) -> ImportRefused:
    return ImportRefused(
        _(
            "The file looks like %(encoding)s but holds bytes that are none. Save it as CSV UTF-8 and "
            "import that."
        )
        % {"encoding": encoding}
    )
