"""Figures as people write them."""

from django.utils.formats import number_format


def number(count: int) -> str:
    """1,234 in English, and in other languages as they group thousands."""
    return number_format(count, use_l10n=True, force_grouping=True)
