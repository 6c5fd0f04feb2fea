"""What is told before something is deleted: what goes with it, without the rows that only join two others."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.utils.text import capfirst


class PlainDeletion(admin.ModelAdmin):
    """Django's own page names each membership of a list: “ContactList_contacts object (7)”."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list, dict, set, list]:
        """As Django's, for who reads it."""
        told, counts, missing, protected = super().get_deleted_objects(objs, request)
        joining = [model for model in apps.get_models(include_auto_created=True) if model._meta.auto_created]
        names = tuple(f"{capfirst(model._meta.verbose_name)}: " for model in joining)
        plurals = {str(model._meta.verbose_name_plural) for model in joining}
        counts = {name: count for name, count in counts.items() if str(name) not in plurals}
        return _without(told, names), counts, missing, protected


def _without(told: list, names: tuple[str, ...]) -> list:
    """The nested lists of what goes, but for what begins with these names."""
    kept: list = []
    for one in told:
        if not isinstance(one, list):
            kept += [one] if not str(one).startswith(names) else []
        elif inner := _without(one, names):
            kept.append(inner)
    return kept
