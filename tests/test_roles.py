"""Who may do what, by role and action, asked with the requests that a browser sends."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.actions import pause_account
from accounts.models import SmtpAccount
from campaigns import actions
from campaigns.models import Campaign, Contact, ContactList
from sending.models import Pacing, QueuedEmail, Suppression
from tests.factories import make_account, make_campaign, make_list, make_user

pytestmark = pytest.mark.django_db
ROLES = ("nobody", "Viewer", "Editor", "Sender", "Account manager", "Administrator")
TABLES = (
    "campaigns_campaign", "campaigns_campaign_lists", "campaigns_contact", "campaigns_contactlist",
    "campaigns_contactlist_contacts", "campaigns_attachment", "accounts_smtpaccount", "sending_queuedemail",
    "sending_pacing", "sending_suppression", "auth_user", "auth_user_groups", "auth_group",
    "auth_group_permissions", "django_admin_log", "django_q_ormq",
)  # fmt: skip


@dataclass
class World:
    """One row of everything that the actions are about."""

    everybody: ContactList
    draft: Campaign
    sending: Campaign
    paused: Campaign
    account: SmtpAccount
    suppression: Suppression
    colleague: User
    superuser: User


@pytest.fixture
def world() -> World:
    everybody = make_list(2)
    draft, sending, paused = (make_campaign(everybody, name=name) for name in ("draft", "sending", "paused"))
    for campaign in (sending, paused):
        actions.queue_campaign(campaign)
        failed = QueuedEmail.objects.filter(campaign=campaign).order_by("id")[:1]
        QueuedEmail.objects.filter(pk__in=failed).update(status="failed", finished_at="2026-01-01T00:00Z")
    actions.pause_campaign(paused)
    account = make_account()
    pause_account(account.pk, "The log-in was refused.")
    Pacing.load()
    suppression = Suppression.objects.create(email="no@example.com")
    superuser = User.objects.create_superuser("root", last_login=None)
    return World(
        everybody, draft, sending, paused, account, suppression, make_user(name="colleague"), superuser
    )


def facts() -> dict[str, list[str]]:
    """All rows, but for the moment at which a user was last seen."""
    with connection.cursor() as cursor:
        return {table: rows(cursor, table) for table in TABLES}


def rows(cursor, table: str) -> list[str]:
    cursor.execute(f"SELECT to_jsonb(t) - 'last_login' FROM {table} t ORDER BY 1")
    return [str(row) for row in cursor.fetchall()]


def log_in(role: str) -> Client:
    client = Client()
    client.force_login(make_user(*([] if role == "nobody" else [role]), name="user"))
    return client


def page(name: str, *args: object) -> str:
    return reverse(f"admin:{name}", args=args)


# --- The actions: each sends what its button or form sends ---


def choose(model: str, action: str, pick: Callable[[World], object]):
    """An action of a list, for one row of it."""

    def act(client: Client, world: World):
        data = {"action": action, "_selected_action": [pick(world).pk]}
        return client.post(page(f"{model}_changelist"), data)

    return act


def save(model: str, fields: dict[str, object], pick: Callable[[World], object] | None = None):
    """Saves a form: of the picked row, or of a new one."""

    def act(client: Client, world: World):
        url = page(f"{model}_change", pick(world).pk) if pick else page(f"{model}_add")
        return client.post(url, {key: value(world) if callable(value) else value for key, value in fields.items()})

    return act


def delete(model: str, pick: Callable[[World], object]):
    return lambda client, world: client.post(page(f"{model}_delete", pick(world).pk), {"post": "yes"})


def import_file(client: Client, world: World):
    file = SimpleUploadedFile("contacts.csv", b"email\nnew@example.com\n")
    return client.post(page("campaigns_contactlist_import"), {"file": file, "new_list": "New"})


MESSAGE = {
    "name": "renamed", "subject": "New", "html": "", "text": "New", "scheduled_at_0": "", "scheduled_at_1": "",
    "lists": lambda world: [world.everybody.pk],
    "attachments-TOTAL_FORMS": 0, "attachments-INITIAL_FORMS": 0,
}  # fmt: skip
ATTACH = {
    **MESSAGE,
    "attachments-TOTAL_FORMS": 1,
    "attachments-0-campaign": lambda world: world.draft.pk,
    "attachments-0-file": lambda world: SimpleUploadedFile("a.pdf", b"pdf"),
}
CONTACT = {
    "email": "new@example.com", "name": "New", "attributes": "{}",
    "ContactList_contacts-TOTAL_FORMS": 0, "ContactList_contacts-INITIAL_FORMS": 0,
}  # fmt: skip
ACCOUNT = {
    "provider": "custom", "email": "new@sender.example", "name": "New", "host": "127.0.0.1", "port": 9,
    "security": "none", "daily_limit": 7, "is_enabled": "on", "imap_port": 993,
}  # fmt: skip
KNOBS = {
    "batch_size": 25, "scope": "account", "batch_interval": 60, "delay": 1, "jitter": 0,
    "retry_interval": 600, "max_retries": 2,
}  # fmt: skip
USER = {"username": "new", "usable_password": "true", "password1": "Xq7-never-shown", "password2": "Xq7-never-shown"}


def contact(world: World) -> Contact:
    return Contact.objects.earliest("id")


EDITOR, SENDER, MANAGER, ADMIN = "Editor", "Sender", "Account manager", "Administrator"
# What it is called here: who may do it, and how it is done.
ACTIONS: dict[str, tuple[set[str], Callable]] = {
    "add a campaign": ({EDITOR, ADMIN}, save("campaigns_campaign", MESSAGE)),
    "edit a campaign": ({EDITOR, ADMIN}, save("campaigns_campaign", MESSAGE, lambda w: w.draft)),
    "attach a file": ({EDITOR, ADMIN}, save("campaigns_campaign", ATTACH, lambda w: w.draft)),
    "delete a campaign": ({EDITOR, ADMIN}, delete("campaigns_campaign", lambda w: w.draft)),
    "delete campaigns": ({EDITOR, ADMIN}, None),
    "send": ({SENDER, ADMIN}, choose("campaigns_campaign", "send", lambda w: w.draft)),
    "pause": ({SENDER, ADMIN}, choose("campaigns_campaign", "pause", lambda w: w.sending)),
    "resume": ({SENDER, ADMIN}, choose("campaigns_campaign", "resume", lambda w: w.paused)),
    "cancel": ({SENDER, ADMIN}, choose("campaigns_campaign", "cancel", lambda w: w.sending)),
    "retry": ({SENDER, ADMIN}, choose("campaigns_campaign", "retry", lambda w: w.sending)),
    "send by the button": (
        {SENDER, ADMIN}, save("campaigns_campaign", {**MESSAGE, "_act:send": "x"}, lambda w: w.draft)
    ),
    "pause by the button": (
        {SENDER, ADMIN}, save("campaigns_campaign", {**MESSAGE, "_act:pause": "x"}, lambda w: w.sending)
    ),
    "resume by the button": (
        {SENDER, ADMIN}, save("campaigns_campaign", {**MESSAGE, "_act:resume": "x"}, lambda w: w.paused)
    ),
    "cancel by the button": (
        {SENDER, ADMIN}, save("campaigns_campaign", {**MESSAGE, "_act:cancel": "x"}, lambda w: w.sending)
    ),
    "retry by the button": (
        {SENDER, ADMIN}, save("campaigns_campaign", {**MESSAGE, "_act:retry": "x"}, lambda w: w.sending)
    ),
    "add a contact": ({EDITOR, ADMIN}, save("campaigns_contact", CONTACT)),
    "edit a contact": ({EDITOR, ADMIN}, save("campaigns_contact", CONTACT, contact)),
    "delete a contact": ({EDITOR, ADMIN}, delete("campaigns_contact", contact)),
    "add a list": ({EDITOR, ADMIN}, save("campaigns_contactlist", {"name": "New"})),
    "rename a list": (
        {EDITOR, ADMIN}, save("campaigns_contactlist", {"name": "New"}, lambda w: w.everybody)
    ),
    "delete a list": ({EDITOR, ADMIN}, delete("campaigns_contactlist", lambda w: w.everybody)),
    "import": ({EDITOR, ADMIN}, import_file),
    "add an account": ({MANAGER, ADMIN}, save("accounts_smtpaccount", ACCOUNT)),
    "change an account": ({MANAGER, ADMIN}, save("accounts_smtpaccount", ACCOUNT, lambda w: w.account)),
    "remove an account": ({MANAGER, ADMIN}, delete("accounts_smtpaccount", lambda w: w.account)),
    "check an account": (
        {MANAGER, ADMIN}, choose("accounts_smtpaccount", "check_connection", lambda w: w.account)
    ),
    "resume an account": ({MANAGER, ADMIN}, choose("accounts_smtpaccount", "resume", lambda w: w.account)),
    "change the pacing": ({ADMIN}, save("sending_pacing", KNOBS, lambda w: Pacing.load())),
    "suppress an address": (
        {EDITOR, ADMIN}, save("sending_suppression", {"email": "new@example.com", "reason": "manual"})
    ),
    "take an address off the list": ({ADMIN}, delete("sending_suppression", lambda w: w.suppression)),
    "add a user": ({ADMIN}, save("auth_user", USER)),
    "delete a user": ({ADMIN}, delete("auth_user", lambda w: w.colleague)),
    "delete a superuser": (set(), delete("auth_user", lambda w: w.superuser)),
    "add a group": (set(), save("auth_group", {"name": "New"})),
    "change a group": (set(), save("auth_group", {"name": "New"}, lambda w: Group.objects.get(name="Viewer"))),
    "delete a group": (set(), delete("auth_group", lambda w: Group.objects.get(name="Viewer"))),
}  # fmt: skip
del ACTIONS["delete campaigns"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_role_may_do_what_its_table_says_and_nothing_else(world: World, action: str, role: str) -> None:
    allowed, act = ACTIONS[action]
    client = log_in(role)
    before = facts()
    response = act(client, world)
    if role in allowed:
        assert response.status_code == 302 or action == "import"
        assert facts() != before
    else:
        assert facts() == before
        assert response.status_code in (403, 302, 200)
