"""What can be exported, by name. Each room declares its tables when Django starts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

Wanted = Mapping[str, Any]
Table = tuple[Sequence[str], Iterable[Sequence[Any]]]


@dataclass(frozen=True)
class Source:
    """A kind of table.

    permissions: all of them are needed to see its rows. rows: those that are wanted. table: the same as
    a heading and rows of cells. `wanted` holds JSON's types only, so that a worker can have it.
    """

    permissions: tuple[str, ...]
    rows: Callable[[Wanted], QuerySet[Any]]
    table: Callable[[Wanted], Table]

    def is_large(self, wanted: Wanted) -> bool:
        """Whether it has more than EXPORT_AT_ONCE rows; counts no further."""
        most = settings.EXPORT_AT_ONCE
        return self.rows(wanted).order_by()[: most + 1].count() > most


SOURCES: dict[str, Source] = {}


def declare(name: str, source: Source) -> None:
    """Adds a kind of table. Called when Django starts."""
    SOURCES[name] = source


def seen_by(user: Any) -> list[str]:
    """The names of the sources whose rows the user may see."""
    return [name for name, source in SOURCES.items() if user.has_perms(source.permissions)]
