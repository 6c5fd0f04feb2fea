"""Template tags of the whole project: {% load batchwise %}."""

from datetime import datetime
from typing import Any

from django import template
from django.utils.text import capfirst

from accounts import words
from config import navigation

register = template.Library()


@register.simple_tag(takes_context=True)
def navigation_sections(context: template.Context) -> list[tuple[Any, list[navigation.Link]]]:
    """The sections of the sidebar: (title, links) of what the person may see."""
    request = context.get("request")
    path = request.path if request else ""
    return navigation.sections(context.get("available_apps") or (), path)


@register.simple_tag(takes_context=True)
def page_title(context: template.Context) -> Any:
    """The page's title; of a list its plain name, where the admin would say "Select contact to change"."""
    title, changelist = context.get("title", ""), context.get("cl")
    if changelist is not None and title == changelist.title:
        return capfirst(changelist.opts.verbose_name_plural)
    return title


@register.filter
def moment(at: datetime | None) -> str:
    """A moment as it is told everywhere: "today 14:05"; "" where there is none."""
    return words.moment(at) if at else ""


@register.filter
def moment_with_seconds(at: datetime | None) -> str:
    """The same, "today 14:05:09": where things follow each other closely."""
    return words.moment(at, seconds=True) if at else ""


@register.filter
def percent(value: Any, of: Any) -> int:
    """value as a share of `of` in whole percent, from 0 to 100; less than the whole is never 100.

    0 where either of the two numbers is missing.
    """
    if not of or not value or value < 0:
        return 0
    return 100 if value >= of else int(100 * value / of)
