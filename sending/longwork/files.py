"""Files that belong to long work, in pieces of a megabyte: a worker on any host can read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from sending.longwork.running import WorkRefused

CHUNK = 1024 * 1024  # bytes in one row


def keep(work: Any, file: BinaryIO) -> None:
    """Keeps the file, from where it stands, as the row's chunks."""
    for number, content in enumerate(iter(lambda: file.read(CHUNK), b"")):
        work.chunks.create(number=number, content=content)


def pieces(work: Any) -> Iterator[bytes]:
    """The file, a piece at a time, each by a look-up of its own: no cursor stays open between two."""
    number = 0
    while content := work.chunks.filter(number=number).values_list("content", flat=True).first():
        yield bytes(content)
        number += 1


@contextmanager
def kept_file(work: Any) -> Iterator[BinaryIO]:
    """The row's file, on this host's disk while the block lasts. Raises WorkRefused when it is gone."""
    with TemporaryFile() as file:
        for content in pieces(work):
            file.write(content)
        if file.tell() != work.size:
            raise WorkRefused(_("The file is not kept any more. Upload it again."))
        file.seek(0)
        yield file
