"""Files that are refused as a whole: a sentence that says what to do, and nothing changed."""

import io
import zipfile

import openpyxl
import pytest

from campaigns.importing import ImportRefused, import_contacts
from campaigns.importing.limits import MAX_COLUMNS, MAX_PART, MAX_SHEET_ROW, MAX_STRINGS
from campaigns.models import Contact, ContactList

pytestmark = pytest.mark.django_db

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)


def workbook(*rows: list[object]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def workbook_with(part: str, content: bytes) -> bytes:
    """A workbook in which one part has this content."""
    source, target = io.BytesIO(workbook(["email"], ["a@example.com"])), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {*old.namelist()} - {part}:
            new.writestr(name, old.read(name))
        new.writestr(part, content)
    return target.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
SHEET_START = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'

REFUSED = {
    "nothing": (b"", "empty"),
    "only white space": (b" \r\n\r\n", "empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "empty"),
    "only a header": (b"email,name\r\n", "only a header row"),
    "binary": (b"\x7fELF\x02\x01\x00\x00\x00", "no text file"),
    "no e-mail column": ("Straße,Ort\nx,y\n".encode(), "Columns found: “Straße”, “Ort”"),
    "no header": (b"anna@example.com,Anna\nben@example.com,Ben\n", "not the names of the columns"),
    "a quotation mark that is never closed": (
        b'email,name\na@example.com,A\nb@example.com,"B\nc@example.com,C\n',
        "begins in line 3 is never closed",
    ),
    "too many columns": (b"email," + b"x," * MAX_COLUMNS + b"y\n", f"more than {MAX_COLUMNS} columns"),
    "a long field": (b'email,x\na@example.com,"' + b"x\n" * 100_000 + b'"\n', "begins in line 2"),
    "half a character in UTF-16": ("email\na@example.com".encode("utf-16") + b"x", "bytes that are none"),
    "an old .xls": (OLE, "old Excel file"),
    "a workbook with a password": (OLE + "EncryptedPackage".encode("utf-16-le"), "password"),
    "a workbook cut short": (workbook(["email"], ["a@example.com"])[:-500], "damaged"),
    "a zip that is no workbook": (workbook_with("xl/workbook.xml", b"<x/>"), "damaged"),
    "a sheet that is no XML": (workbook_with(SHEET, SHEET_START + b"<row><c"), "damaged"),
    "an empty workbook": (workbook(), "empty"),
    "a workbook without addresses": (workbook(["Ort"], ["Köln"]), "Columns found: “Ort”"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_can_not_be_used_is_refused_with_what_to_do(case):
    content, reason = REFUSED[case]

    with pytest.raises(ImportRefused, match=reason):
        import_contacts(io.BytesIO(content), "file", "Friends")

    assert not Contact.objects.exists()
    assert not ContactList.objects.exists()


def test_a_fault_near_the_end_leaves_nothing_of_the_rows_before_it():
    rows = b"".join(b"person%d@example.com,x\n" % number for number in range(5000))

    with pytest.raises(ImportRefused):
        import_contacts(io.BytesIO(b"email,name\n" + rows + b'last@example.com,"x\n'), "file", "Friends")

    assert not Contact.objects.exists()
    assert not ContactList.objects.exists()


@pytest.mark.parametrize("list_name", ["", " \n", "x" * 201])
def test_a_list_needs_a_name_that_fits(list_name):
    with pytest.raises(ImportRefused, match="name of 1 to 200"):
        import_contacts(io.BytesIO(b"email\na@example.com\n"), "file", list_name)


def test_a_row_that_unpacks_to_more_than_a_row_may_hold_is_refused():
    bomb = SHEET_START + b"<row><c t='inlineStr'><is><t>" + b"x" * (MAX_SHEET_ROW + 200_000)

    with pytest.raises(ImportRefused, match="far larger inside"):
        import_contacts(io.BytesIO(workbook_with(SHEET, bomb)), "bomb.xlsx", "Friends")


@pytest.mark.parametrize(
    ("part", "size"), [("xl/sharedStrings.xml", MAX_STRINGS + 1), ("xl/styles.xml", MAX_PART + 1)]
)
def test_a_part_that_unpacks_to_more_than_memory_should_hold_is_refused(part, size):
    bomb = workbook_with(part, bytes(size))

    with pytest.raises(ImportRefused, match="far larger inside"):
        import_contacts(io.BytesIO(bomb), "bomb.xlsx", "Friends")


def test_a_sheet_that_claims_a_row_beyond_the_last_is_refused():
    sheet = SHEET_START + b'<row r="99999999999"><c r="A1"><v>1</v></c></row></sheetData></worksheet>'

    with pytest.raises(ImportRefused):
        import_contacts(io.BytesIO(workbook_with(SHEET, sheet)), "far.xlsx", "Friends")


class OneEndlessLine(io.RawIOBase):
    """A gigabyte without a line end, made as it is read; counts how much of it was."""

    SIZE = 1_000_000_000

    def __init__(self, start: bytes) -> None:
        self.start = start
        self.position = 0
        self.given = 0

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "nobody may ask for all of it"
        size = min(size, self.SIZE - self.position)
        data = (self.start[self.position : self.position + size] + b"a" * size)[:size]
        self.position += size
        self.given += size
        return data


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b'email,name\na@example.com,"',
        b"\xef\xbb\xbfemail\n",
        b"\xff\xfe",
        b"\xff\xfe" + "email\n".encode("utf-16-le"),
    ],
)
def test_a_gigabyte_in_one_line_is_refused_before_it_is_read(start):
    file = OneEndlessLine(start)

    with pytest.raises(ImportRefused, match="longer than"):
        import_contacts(file, "endless.csv", "Friends")

    assert file.given < 10_000_000
