"""Figures as the columns of a small chart: templates/partials/columns.html. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Column:
    """One column: when it is, its label, its value, how much of that is new; its place in percent."""

    at: datetime
    label: str
    value: int
    new: int
    left: str
    width: str
    top: str
    height: str
    new_height: str


def lay_out(figures: Iterable[tuple[datetime, str, int, int]], most: int = 0) -> list[Column]:
    """Places (when, label, value, how much of it is new) side by side.

    most: the value of the chart's upper edge; 0: the highest one. A value above nothing is always seen.
    """
    figures = list(figures)
    most = max(most, 1, *(value for _at, _label, value, _new in figures)) if figures else 1
    step = 100 / max(len(figures), 1)
    return [
        Column(
            at,
            label,
            value,
            new,
            left=f"{number * step + step * 0.1:.2f}%",
            width=f"{step * 0.8:.2f}%",
            top=f"{100 - _share(value, most):.2f}%",
            height=f"{_share(value, most):.2f}%",
            new_height=f"{min(_share(new, most), _share(value, most)):.2f}%",
        )
        for number, (at, label, value, new) in enumerate(figures)
    ]


def _share(value: int, most: int) -> float:
    return max(1.5, 100 * value / most) if value > 0 else 0.0
