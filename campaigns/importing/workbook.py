"""Reads the first visible sheet of an Excel workbook, row by row, and keeps zip bombs out."""

import datetime
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import openpyxl
from django.utils.translation import gettext_lazy as _

from campaigns.importing.limits import (
    BLOCK,
    MAX_COLUMNS,
    MAX_PART,
    MAX_SHEET_ROW,
    MAX_SHEET_ROWS,
    MAX_SHEETS,
    MAX_STRINGS,
)
from campaigns.importing.refusal import ImportRefused
from campaigns.importing.table import Table

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # the container of .xls, and of encrypted .xlsx
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")  # [MS-OFFCRYPTO] 2.3.4.4
READ_WHOLE = (".xml", ".rels")
ROW_TAG = re.compile(rb"<(?:\w+:)?row[\s>/]")

BROKEN = _(
    "The workbook can't be read: it is damaged or is no Excel workbook. Save it again as .xlsx or as CSV."
)
OLD = _("This is an old Excel file (.xls). Open it, save it as .xlsx or as CSV UTF-8, and import that.")
LOCKED = _("The workbook is protected by a password. Save it without one and import it again.")
TOO_BIG = _("The workbook is far larger inside than a list of contacts. Save only the list as CSV UTF-8.")


def is_workbook(start: bytes) -> bool:
    """Whether a file that begins so is a workbook, of a kind that can be read or not."""
    return start.startswith((ZIP, OLE))


def read_workbook(file: BinaryIO) -> Table:
    """The rows of a workbook's first visible sheet. Raises ImportRefused when it can't be read."""
    file.seek(0)
    if file.read(len(OLE)) == OLE:
        raise ImportRefused(LOCKED if _holds(file, ENCRYPTED) else OLD)
    _check_sizes(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions that it leaves out
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        visible = (sheet for sheet in book.worksheets if sheet.sheet_state == "visible")
        sheet = next(visible, book.worksheets[0])
        sheet.reset_dimensions()  # some programs write wrong ones
    except Exception as error:  # openpyxl raises whatever its parsers do
        raise ImportRefused(BROKEN) from error
    return Table(f"workbook, sheet “{sheet.title}”", _read_rows(sheet.iter_rows()))


def _read_rows(rows: Iterator[Sequence[Any]]) -> Iterator[tuple[int, list[str]]]:
    for number in range(1, MAX_SHEET_ROWS + 1):
        try:
            row = next(rows, None)
            cells = None if row is None else [_text(cell) for cell in row[: MAX_COLUMNS + 1]]
        except Exception as error:  # as above
            raise ImportRefused(BROKEN) from error
        if cells is None:
            return
        yield number, cells
    raise ImportRefused(TOO_BIG)


def _text(cell: Any) -> str:
    """A cell as the sheet shows it, as far as that matters in a mail."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, float):
        return f"{value:.15g}"  # Excel's own precision: 0.3, not 0.30000000000000004
    if isinstance(value, int):
        zeros = re.fullmatch("0{2,20}", cell.number_format or "")  # 01067 is a postcode, kept as 1067
        return str(value).zfill(len(zeros[0])) if zeros else str(value)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    return str(value)


def _check_sizes(file: BinaryIO) -> None:
    """Refuses what would not fit into memory; zipfile itself never gives more than a part's stated size."""
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            if any(part.flag_bits & 1 for part in parts):
                raise ImportRefused(LOCKED)
            sheets = [part for part in parts if part.filename.lower().startswith("xl/worksheets/sheet")]
            others = [part for part in parts if part not in sheets and part.filename.endswith(READ_WHOLE)]
            if sum(part.file_size for part in sheets) > MAX_SHEETS or any(map(_is_too_big, others)):
                raise ImportRefused(TOO_BIG)
            for part in sheets:
                _check_rows(archive, part)
    except ImportRefused:
        raise
    except Exception as error:  # zipfile and zlib raise whatever they stumble over
        raise ImportRefused(BROKEN) from error


def _is_too_big(part: zipfile.ZipInfo) -> bool:
    return part.file_size > (MAX_STRINGS if part.filename == "xl/sharedStrings.xml" else MAX_PART)


def _check_rows(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """The parser keeps a whole row, so no row may be larger than MAX_SHEET_ROW bytes of XML."""
    with archive.open(part) as sheet:
        since_row, tail = 0, b""
        while block := sheet.read(BLOCK):
            searched = tail + block
            starts = [match.start() for match in ROW_TAG.finditer(searched)]
            since_row = len(searched) - starts[-1] if starts else since_row + len(block)
            if since_row > MAX_SHEET_ROW:
                raise ImportRefused(TOO_BIG)
            tail = searched[-32:]


def _holds(file: BinaryIO, needle: bytes) -> bool:
    file.seek(0)
    tail = b""
    while block := file.read(BLOCK):
        if needle in tail + block:
            return True
        tail = block[-len(needle) :]
    return False
