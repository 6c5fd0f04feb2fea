"""Template tags of the whole project: {% load batchwise %}."""

from typing import Any

from django import template

from config import navigation

register = template.Library()


@register.simple_tag(takes_context=True)
def navigation_sections(context: template.Context) -> list[tuple[Any, list[navigation.Link]]]:
    """The sections of the sidebar: (title, links) of what the person may see."""
    request = context.get("request")
    path = request.path if request else ""
    return navigation.sections(context.get("available_apps") or (), path)


@register.filter
def percent(value: Any, of: Any) -> int:
    """value as a share of `of` in whole percent, from 0 to 100; less than the whole is never 100.

    0 where either of the two numbers is missing.
    """
    if not of or not value or value < 0:
        return 0
    return 100 if value >= of else int(100 * value / of)
