"""Columns that the admin's tables have in common."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db import models
from django.utils.html import format_html

from accounts.words import moment


def address_column(field: str, description: Any) -> Callable[[Any, Any], str]:
    """A column, to sort by, with an e-mail address that breaks behind its @, where it has to.

    field: its name; description: the column's title.
    """

    @admin.display(description=description, ordering=field)
    def column(_admin: Any, row: models.Model) -> str:
        local, at, domain = getattr(row, field).rpartition("@")
        whole = '<span><span class="unbroken">{}{}</span><wbr><span class="unbroken">{}</span></span>'
        return format_html(whole, local, at, domain)

    return column


def moment_column(field: str, description: Any, *, seconds: bool = False) -> Callable[[Any, Any], str]:
    """A column, to sort by, that tells a DateTimeField as moments are told everywhere; "–" where it is empty.

    field: its name; description: the column's title.
    """

    @admin.display(description=description, ordering=field)
    def column(_admin: Any, row: models.Model) -> str:
        at = getattr(row, field)
        return moment(at, seconds=seconds) if at else "–"

    return column
