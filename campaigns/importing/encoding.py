"""Finds out how a text file is encoded, in one pass that keeps no more than a sample of it."""

import codecs
from typing import BinaryIO

from charset_normalizer import from_bytes
from django.utils.translation import gettext_lazy as _lazy

from accounts.words import number
from campaigns.importing.limits import BLOCK, MAX_ROW
from campaigns.importing.refusal import ImportRefused

# UTF-32 first: its little-endian mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
LIKELIEST = "windows-1252"
OTHERS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp850"]
SAMPLE = 8 * 1024

BINARY = _lazy(
    "This is no text file. Save it as CSV (UTF-8) or as an Excel workbook (.xlsx) and import that."
)
ROW_TOO_LONG = _lazy(
    "The row that begins in line %(line)s is longer than %(most)s characters, so this is no list with one "
    "contact a line, or a quotation mark in that line is never closed. Mend it and import again."
)


def row_too_long(line: int) -> ImportRefused:
    """Of the row that begins in this line (from 1)."""
    return ImportRefused(ROW_TOO_LONG % {"line": number(line), "most": number(MAX_ROW)})


def find_encoding(file: BinaryIO) -> str:
    """The codec of a seekable file: by its byte order mark, else UTF-8 if all of it is, else a guess.

    The guess is charset-normalizer's among code pages of Europe; where it can't tell, Windows-1252.
    Raises ImportRefused for a binary file, and for one line without end long before it is read.
    """
    file.seek(0)
    start = file.read(4)
    for mark, encoding in MARKS:
        if start.startswith(mark):
            return encoding
    sample = _text_that_is_no_utf8(file)
    return "utf-8" if sample is None else _guess(sample)


def _text_that_is_no_utf8(file: BinaryIO) -> bytes | None:
    """None if all of the file is UTF-8, else lines of it that tell its encoding."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    sample, is_utf8, open_line, line = bytearray(), True, 0, 1
    file.seek(0)
    while block := file.read(BLOCK):
        if b"\0" in block:
            raise ImportRefused(BINARY)
        end = max(block.rfind(b"\n"), block.rfind(b"\r"))
        line += block.count(b"\n")
        open_line = open_line + len(block) if end < 0 else len(block) - end - 1
        if open_line > 4 * MAX_ROW:  # a character takes four bytes at most
            raise row_too_long(line)
        is_utf8 = is_utf8 and _decodes(decoder, block)
        if len(sample) < SAMPLE and not block.isascii():
            sample += b"\n".join(part for part in block.splitlines() if not part.isascii())
    return None if is_utf8 and _decodes(decoder, b"", final=True) else bytes(sample[:SAMPLE])


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _guess(sample: bytes) -> str:
    matches = from_bytes(sample, cp_isolation=OTHERS)
    best = matches.best()
    if best is None:
        return LIKELIEST
    as_good = [match for match in matches if match.chaos <= best.chaos]
    if any("cp1252" in match.could_be_from_charset for match in as_good):
        return LIKELIEST
    return best.encoding
