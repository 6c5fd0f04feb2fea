"""Turns a row into a person, or into the reason why it can't be."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from accounts.words import number
from campaigns.importing.cleaning import clean_email, clean_name, clean_value
from campaigns.importing.headers import IGNORED, Column
from campaigns.importing.limits import MAX_VALUE
from campaigns.importing.report import RefusedRow
from campaigns.models import Contact

MAX_NAME = Contact._meta.get_field("name").max_length or 200


@dataclass(frozen=True, slots=True)
class Person:
    """A row that is taken. `attributes` holds its merge fields that are not empty."""

    line: int
    email: str
    name: str
    attributes: dict[str, str]


def read_person(line: int, cells: Sequence[str], columns: Sequence[Column]) -> Person | RefusedRow:
    """The person of a row that is not empty."""
    values = {column.field: cells[column.index] for column in columns if column.index < len(cells)}
    values.pop(IGNORED, None)
    email = values.pop("email", "")
    name = clean_name(values.pop("name", ""))
    try:
        _check_shape(cells, columns)
        address = clean_email(email)
        if len(name) > MAX_NAME:
            raise ValueError(_("The name is longer than %(most)s characters.") % {"most": MAX_NAME})
    except ValueError as error:
        return RefusedRow(line, clean_name(email)[:200], str(error))
    return Person(line, address, name, _attributes(values))


def _check_shape(cells: Sequence[str], columns: Sequence[Column]) -> None:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise ValueError(
            _(
                "The row has %(values)s values for %(columns)s columns; a value that holds the delimiter "
                "needs quotation marks around it."
            )
            % {"values": len(cells), "columns": len(columns)}
        )
    for column in columns:
        if column.field != IGNORED and column.index < len(cells) and len(cells[column.index]) > MAX_VALUE:
            raise ValueError(
                _("The value of “%(header)s” is longer than %(most)s characters.")
                % {"header": column.header, "most": number(MAX_VALUE)}
            )


def _attributes(values: dict[str, str]) -> dict[str, str]:
    cleaned = {
        field: clean_name(value) if field in ("first_name", "last_name") else clean_value(value)
        for field, value in values.items()
        if value
    }
    return {field: value for field, value in cleaned.items() if value}
