"""What an import did, for people and for scripts."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

DETAILED = 1000  # refused and duplicate rows that are listed; all of them are counted
SHOWN = 20  # of these in the terminal


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was left out: its line in the file, what its address column held, and why."""

    line: int
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """A row whose address an earlier line of the file holds already; it was merged into that one."""

    line: int
    first_line: int


@dataclass
class ImportReport:
    """Counts of rows: read = taken + merged + unchanged + refused. `fields` maps merge field to header.

    With a `reason` the addresses went onto the suppression list, else into the list of that name.
    """

    filename: str
    list_name: str
    reason: str = ""  # of Suppression.Reason
    steps: int = 0  # of writing that are done, for who watches
    source: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    read: int = 0
    taken: int = 0  # new contacts
    updated: int = 0  # contacts that were there and got new values
    duplicates: int = 0  # rows of an address that an earlier row holds
    unchanged: int = 0  # contacts that were there and had all of it
    refused: int = 0
    added_to_list: int = 0  # contacts, new or not
    suppressed: int = 0  # of the addresses in the file: contacts, too, but nothing is sent to them
    refused_rows: list[RefusedRow] = field(default_factory=list)
    duplicate_rows: list[DuplicateRow] = field(default_factory=list)

    @property
    def merged(self) -> int:
        """Rows that went into a contact which was there, or into an earlier row of the file."""
        return self.updated + self.duplicates

    def refuse(self, row: RefusedRow) -> None:
        """Counts the row, and keeps its details while there are few."""
        self.refused += 1
        if len(self.refused_rows) < DETAILED:
            self.refused_rows.append(row)

    def as_dict(self) -> dict[str, Any]:
        """All of it in JSON's types."""
        told = {**asdict(self), "merged": self.merged}
        del told["steps"]
        return told

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"Imported {self.filename} into the list “{self.list_name}” ({self.source})"
        yield f"  {self.read:>9,} rows read"
        yield f"  {self.taken:>9,} taken: new contacts"
        yield f"  {self.merged:>9,} merged: {self.updated:,} into contacts that were there, " + (
            f"{self.duplicates:,} into an earlier row of the file"
        )
        yield f"  {self.unchanged:>9,} unchanged"
        yield f"  {self.refused:>9,} refused"
        yield f"  {self.added_to_list:>9,} added to the list"
        if self.suppressed:
            yield f"  {self.suppressed:>9,} are suppressed and get no mail"
        yield "Merge fields: " + ", ".join(f"{{{{ {name} }}}}" for name in self.fields)
        for row in self.refused_rows[:SHOWN]:
            yield f"  refused    line {row.line:,}: “{row.value}”: {row.reason}"
        yield from _more(self.refused, "refused")
        for duplicate in self.duplicate_rows[:SHOWN]:
            yield f"  duplicate  line {duplicate.line:,}: same address as line {duplicate.first_line:,}"
        yield from _more(self.duplicates, "duplicate")


def _more(count: int, word: str) -> Iterator[str]:
    if count > SHOWN:
        yield f"  … and {count - SHOWN:,} more {word} rows (--json lists up to {DETAILED:,})"
