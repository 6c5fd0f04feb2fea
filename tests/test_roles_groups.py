"""The roles as groups: made by a migration, then the site's own; and users, whom none leads past a role."""

from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command

from config.roles import ROLES
from tests.factories import make_user
from tests.staff import log_in, page

pytestmark = pytest.mark.django_db


def held(role: str) -> set[str]:
    rows = Permission.objects.filter(group__name=role)
    return {f"{room}.{code}" for room, code in rows.values_list("content_type__app_label", "codename")}


def migrate() -> None:
    call_command("migrate", verbosity=0)


def test_a_migration_brings_each_role_with_its_permissions() -> None:
    assert set(ROLES) == set(Group.objects.values_list("name", flat=True))
    assert "campaigns.send_campaign" in held("Sender") & held("Administrator")
    assert "campaigns.send_campaign" not in held("Editor") | held("Viewer") | held("Account manager")
    assert "sending.resolve_queuedemail" in held("Administrator")
    assert all(code.split(".")[1].startswith("view_") for code in held("Viewer"))
    assert held("Viewer") <= held("Editor") & held("Sender") & held("Account manager") & held("Administrator")


def test_every_permission_that_a_table_names_exists() -> None:
    for role, granted in ROLES.items():
        plain = {code for code in granted if not code.endswith("*")}
        assert plain <= held(role)


def test_a_migration_leaves_alone_what_was_changed_by_hand() -> None:
    viewers = Group.objects.get(name="Viewer")
    viewers.permissions.clear()
    Group.objects.get(name="Editor").delete()
    migrate()
    assert held("Viewer") == set()
    assert "campaigns.change_campaign" in held("Editor")


def test_reset_roles_gives_back_the_permissions_and_keeps_the_users() -> None:
    user = make_user("Viewer")
    user.groups.get().permissions.set(Permission.objects.filter(codename="delete_campaign"))
    own = Group.objects.create(name="Our own")
    before = held("Sender")
    call_command("reset_roles", stdout=StringIO())
    assert "campaigns.delete_campaign" not in held("Viewer")
    assert "campaigns.view_campaign" in held("Viewer")
    assert held("Sender") == before
    assert user.groups.get().name == "Viewer"
    assert not own.permissions.exists()


def user_form(user: User, **changes: object) -> dict[str, object]:
    return {
        "username": user.username, "is_active": "on", "is_staff": "on", "email": "", "first_name": "",
        "last_name": "", "date_joined_0": "2026-01-01", "date_joined_1": "12:00", **changes,
    }  # fmt: skip


def test_an_administrator_gives_roles_and_nothing_beyond() -> None:
    colleague = make_user(name="colleague")
    client = log_in("Administrator")
    url = page("auth_user_change", colleague.pk)
    assert "is_superuser" not in client.get(url).content.decode()
    asked = user_form(
        colleague,
        groups=[Group.objects.get(name="Sender").pk],
        is_superuser="on",
        user_permissions=[Permission.objects.get(codename="add_logentry").pk],
    )
    assert client.post(url, asked).status_code == 302
    colleague.refresh_from_db()
    assert [group.name for group in colleague.groups.all()] == ["Sender"]
    assert not colleague.is_superuser
    assert not colleague.user_permissions.exists()


def test_an_administrator_leaves_superusers_alone(admin_user: User) -> None:
    client = log_in("Administrator")
    url = page("auth_user_change", admin_user.pk)
    assert client.post(url, user_form(admin_user, username="mine")).status_code == 403
    password = {"usable_password": "true", "password1": "Xq7-never-shown", "password2": "Xq7-never-shown"}
    assert client.post(f"/admin/auth/user/{admin_user.pk}/password/", password).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [admin_user.pk], "post": "yes"}
    client.post(page("auth_user_changelist"), chosen)
    admin_user.refresh_from_db()
    assert admin_user.username == "admin"
    assert admin_user.check_password("password")


def test_a_superuser_may_make_superusers(admin_client) -> None:
    colleague = make_user(name="colleague")
    admin_client.post(page("auth_user_change", colleague.pk), user_form(colleague, is_superuser="on"))
    colleague.refresh_from_db()
    assert colleague.is_superuser
