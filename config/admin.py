"""Users and their roles, in a form that leads nobody past the own role but a superuser.

With Django's own form, who may change users may make oneself a superuser.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

FOR_SUPERUSERS = ("is_superuser", "user_permissions")


class StaffAdmin(UserAdmin):
    """Who is no superuser gives roles (groups) and nothing beyond, and leaves superusers alone."""

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if request.user.is_superuser:
            return fieldsets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in FOR_SUPERUSERS]})
            for title, options in fieldsets
        ]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


class RoleAdmin(GroupAdmin):
    """What a group may do is for superusers to say: else an administrator could give it everything."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return user is None or request.user.is_superuser or not user.is_superuser


# django.contrib.auth.admin, imported above, has registered its own.
for model, ours in ((User, StaffAdmin), (Group, RoleAdmin)):
    admin.site.unregister(model)
    admin.site.register(model, ours)
