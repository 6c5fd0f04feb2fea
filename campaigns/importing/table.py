from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """A file that is being read: how (encoding, delimiter or sheet), and its rows as they come.

    A row is the number of the line in the file where it begins (in a workbook: the row), from 1,
    and its cells as text. Empty rows may come too. Reading may raise ImportRefused at any row.
    """

    source: str
    rows: Iterator[tuple[int, list[str]]]
