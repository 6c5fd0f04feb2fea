"""The roles: groups of Django's auth, made after a migration, each with what its table says.

Every role may look at what the screens of the office are made of; the program's inner tables are for who
looks after it, and django-q2's for superusers. The menu (config/navigation.py) shows what a role may look
at, so it needs no rule of its own. Roles add up: who writes campaigns and sends them is in both groups.
After its creation a group belongs to the site's administrator: what was changed by hand stays
(`reset_roles` gives back what stands here).
"""

import logging
from typing import Any

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import transaction

logger = logging.getLogger(__name__)

ROOMS = ("accounts", "campaigns", "sending")

# Permissions by name; "room.*" is every permission on the room's models, "room.view_*" those to look.
LOOK = (
    "accounts.view_*",
    "campaigns.view_*",
    *(f"sending.view_{model}" for model in ("queuedemail", "testmail", "suppression", "pacing")),
)
EDIT = tuple(
    f"campaigns.{verb}_{model}"
    for model in ("contact", "contactlist", "import", "campaign", "attachment")
    for verb in ("add", "change", "delete")
)
ROLES: dict[str, tuple[str, ...]] = {
    "Viewer": LOOK,
    # Who looks after contacts may put an address on the suppression list, and not take it off.
    "Editor": (*LOOK, *EDIT, "sending.add_suppression"),
    "Sender": (*LOOK, "campaigns.send_campaign"),
    # What servers answered, account by account, tells why one was paused.
    "Account manager": (*LOOK, "accounts.*", "sending.view_sendlog"),
    # Users, too, but for superusers (config/admin.py). What groups may do, only superusers change.
    "Administrator": (
        *(f"{room}.*" for room in ROOMS),
        *(f"auth.{verb}_user" for verb in ("view", "add", "change", "delete")),
        "auth.view_group",
    ),
}


def create_roles(*, using: str = "default", apps: Any = installed, **_: Any) -> None:
    """Makes the groups that are not there, and leaves the others alone. A receiver of post_migrate.

    It doesn't wait for auth's own receiver, which comes later for some rooms: it has the permissions
    made that it needs. apps are the models as this migration leaves them: while auth or a room is
    missing in them, it does nothing.
    """
    try:
        group_model = apps.get_model("auth", "Group")
        for room in ROOMS:
            apps.get_app_config(room)
    except LookupError:
        return
    there = set(group_model.objects.using(using).values_list("name", flat=True))
    if missing := [name for name in ROLES if name not in there]:
        _grant(missing, using, apps)


def reset_roles() -> None:
    """Gives each role the permissions of the table and no others; its users stay in it."""
    _grant(list(ROLES), "default", installed)


def _grant(names: list[str], using: str, apps: Any) -> None:
    for room in (*ROOMS, "auth"):
        create_permissions(installed.get_app_config(room), verbosity=0, using=using, apps=apps)
    codes = _codes(using, apps)
    with transaction.atomic(using=using):
        for name in names:
            group, _ = apps.get_model("auth", "Group").objects.using(using).get_or_create(name=name)
            group.permissions.set(pk for code, pk in codes.items() if _is_granted(code, ROLES[name]))
    logger.info("Roles made: %s", ", ".join(names))


def _codes(using: str, apps: Any) -> dict[str, int]:
    """All permissions: {"room.verb_model": id}."""
    rows = apps.get_model("auth", "Permission").objects.using(using)
    return {
        f"{room}.{code}": pk
        for room, code, pk in rows.values_list("content_type__app_label", "codename", "pk")
    }


def _is_granted(code: str, granted: tuple[str, ...]) -> bool:
    return any(code.startswith(one[:-1]) if one.endswith("*") else code == one for one in granted)
