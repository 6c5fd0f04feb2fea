"""django-q2's own admin, for superusers only and only to look at.

One schedule with malformed arguments stops all others, and a task that is sent again by hand runs
past every rule: nobody edits them. sending.schedules declares what runs.
"""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class SuperusersLook:
    """Mixed in before a ModelAdmin: superusers may look, nobody may do more."""

    actions = None

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def restrict(site: admin.AdminSite) -> None:
    """Replaces django-q2's registered admins by ones that only superusers see."""
    for model, theirs in list(site._registry.items()):
        if model._meta.app_label == "django_q":
            site.unregister(model)
            site.register(model, _restricted(type(theirs)))


def _restricted(theirs: type[admin.ModelAdmin]) -> type[admin.ModelAdmin]:
    return type(theirs.__name__, (SuperusersLook, theirs), {})


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
