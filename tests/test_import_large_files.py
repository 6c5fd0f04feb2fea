"""A hundred thousand rows: memory stays bounded, and every row is counted."""

import io
from collections.abc import Iterator

import psutil
import pytest

from campaigns.importing import import_contacts
from campaigns.importing.report import DETAILED
from campaigns.models import Contact, ContactList

pytestmark = pytest.mark.django_db

ROWS = 100_000
MEMORY = 32_000_000  # bytes; the rows alone are more than twice that as Python objects


class Generated(io.RawIOBase):
    """A file whose lines are made as they are read; it notes the most memory the process has then."""

    def __init__(self) -> None:
        self.process = psutil.Process()
        self.peak = 0
        self.seek(0)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        assert offset == 0
        self.lines, self.left = self.make_lines(), b""
        return 0

    def make_lines(self) -> Iterator[bytes]:
        yield b"email;first name;last name;city;note\n"
        for number in range(ROWS):
            address = f"person{number % (ROWS - 5000)}" + ("" if number % 20 == 7 else "@example.com")
            yield f'{address};Jörg;Müller {number};Köln;"{"note " * 20}"\n'.encode()

    def read(self, size: int = -1) -> bytes:
        self.peak = max(self.peak, self.process.memory_info().rss)
        while len(self.left) < size and (line := next(self.lines, None)):
            self.left += line
        data, self.left = self.left[:size], self.left[size:]
        return data


def test_a_hundred_thousand_rows_are_imported_within_bounded_memory():
    file = Generated()
    import_contacts(io.BytesIO(b"email\nfirst@example.org\n"), "small.csv", "First")
    before = psutil.Process().memory_info().rss

    report = import_contacts(file, "large.csv", "Everyone")

    assert file.peak - before < MEMORY
    assert (report.read, report.refused) == (ROWS, ROWS // 20)
    assert report.taken + report.duplicates == ROWS - report.refused
    assert report.duplicates == 4750
    assert len(report.refused_rows) == len(report.duplicate_rows) == DETAILED
    assert ContactList.objects.get(name="Everyone").contacts.count() == report.taken
    assert Contact.objects.count() == report.taken + 1
