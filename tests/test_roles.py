"""Who may do what, by role and action, asked with the requests that a browser sends."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from campaigns import review
from campaigns.models import Contact, ContactList
from sending.models import Pacing
from tests.staff import ROLES, World, facts, log_in, make_world, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


def choose(model: str, action: str, pick: Callable[[World], object], **more: object):
    """An action of a list, for one row of it."""

    def act(client: Client, world: World):
        filled = {key: value(world) if callable(value) else value for key, value in more.items()}
        data = {"action": action, "_selected_action": [pick(world).pk], **filled}
        return client.post(page(f"{model}_changelist"), data)

    return act


def save(model: str, fields: dict[str, object], pick: Callable[[World], object] | None = None):
    """Saves a form: of the picked row, or of a new one."""

    def act(client: Client, world: World):
        url = page(f"{model}_change", pick(world).pk) if pick else page(f"{model}_add")
        return client.post(
            url, {key: value(world) if callable(value) else value for key, value in fields.items()}
        )

    return act


def delete(model: str, pick: Callable[[World], object]):
    return lambda client, world: client.post(page(f"{model}_delete", pick(world).pk), {"post": "yes"})


def import_file(client: Client, world: World):
    file = SimpleUploadedFile("contacts.csv", b"email\nnew@example.com\n")
    return client.post(page("campaigns_import_add"), {"file": file, "new_list": "New"})


def paste_suppressions(client: Client, world: World):
    pasted = {"pasted": "new@example.com", "reason": "manual"}
    return client.post(page("campaigns_import_add") + "?to=suppressions", pasted)


def press(step: str, pick: Callable[[World], object], **fields: str):
    """A button of a page that has an address of its own."""
    return lambda client, world: client.post(page(step, pick(world).pk), fields)


def check_account(client: Client, world: World):
    return client.post(page("accounts_smtpaccount_check"), {"account": [world.account.pk]})


def send_reviewed(client: Client, world: World):
    seen = {"seen": review.version(world.draft)}
    return client.post(page("campaigns_campaign_review", world.draft.pk), seen)


def send_test(client: Client, world: World):
    asked = {"campaign": world.draft.pk, "account": world.spare.pk, "to": "user@office.example"}
    return client.post(page("campaigns_campaign_test"), asked)


def by_worker(act: Callable):
    """The same where it is a worker's, however few there are."""

    def asked(client: Client, world: World):
        with override_settings(QUEUE_AT_ONCE=0, EXPORT_AT_ONCE=0):
            return act(client, world)

    return asked


def export_all(model: str, pick: Callable[[World], object]):
    return by_worker(choose(model, "export", pick, select_across="1"))


MESSAGE = {
    "name": "renamed", "subject": "New", "html": "", "text": "New",
    "scheduled_at_0": "", "scheduled_at_1": "",
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
    "security": "none", "daily_limit": 7, "limit_window": "rolling", "time_zone": "UTC",
    "spacing": 0, "spacing_jitter": 0, "warm_up_step": 20, "is_enabled": "on", "imap_port": 993,
}  # fmt: skip
KNOBS = {
    "batch_size": 25, "scope": "account", "batch_interval": 60, "delay": 1, "jitter": 0,
    "retry_interval": 600, "max_retries": 2,
    "window_days": "every", "window_opens": "00:00", "window_closes": "00:00",
}  # fmt: skip
USER = {
    "username": "new",
    "usable_password": "true",
    "password1": "Xq7-never-shown",
    "password2": "Xq7-never-shown",
}


def contact(world: World) -> Contact:
    return Contact.objects.earliest("id")


def suppressed(world: World) -> Contact:
    return Contact.objects.get(email=world.suppression.email)


def another(world: World) -> int:
    return ContactList.objects.get(name="another").pk


def viewers(world: World) -> Group:
    return Group.objects.get(name="Viewer")


EDITOR, SENDER, MANAGER, ADMIN = "Editor", "Sender", "Account manager", "Administrator"
EVERYBODY = {"Viewer", EDITOR, SENDER, MANAGER, ADMIN}
# What it is called here: who may do it, and how it is done.
ACTIONS: dict[str, tuple[set[str], Callable]] = {
    "add a campaign": ({EDITOR, ADMIN}, save("campaigns_campaign", MESSAGE)),
    "edit a campaign": ({EDITOR, ADMIN}, save("campaigns_campaign", MESSAGE, lambda w: w.draft)),
    "attach a file": ({EDITOR, ADMIN}, save("campaigns_campaign", ATTACH, lambda w: w.draft)),
    "delete a campaign": ({EDITOR, ADMIN}, delete("campaigns_campaign", lambda w: w.draft)),
    "delete chosen campaigns": (
        {EDITOR, ADMIN}, choose("campaigns_campaign", "delete_selected", lambda w: w.draft, post="yes")
    ),
    "send": ({SENDER, ADMIN}, choose("campaigns_campaign", "send", lambda w: w.draft)),
    "pause": ({SENDER, ADMIN}, choose("campaigns_campaign", "pause", lambda w: w.sending)),
    "resume": ({SENDER, ADMIN}, choose("campaigns_campaign", "resume", lambda w: w.paused)),
    "cancel": ({SENDER, ADMIN}, choose("campaigns_campaign", "cancel", lambda w: w.sending)),
    "retry": ({SENDER, ADMIN}, choose("campaigns_campaign", "retry", lambda w: w.sending)),
    "send what was reviewed": ({SENDER, ADMIN}, send_reviewed),
    "send a test": ({SENDER, ADMIN}, send_test),
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
    "send to many": ({SENDER, ADMIN}, by_worker(choose("campaigns_campaign", "send", lambda w: w.draft))),
    "stop queueing": ({SENDER, ADMIN}, press("campaigns_campaign_act", lambda w: w.queueing, act="stop")),
    "stop queueing by the button": (
        {SENDER, ADMIN}, save("campaigns_campaign", {**MESSAGE, "_act:stop": "x"}, lambda w: w.queueing)
    ),
    "export many contacts": (EVERYBODY, export_all("campaigns_contact", contact)),
    "export a long list": (
        EVERYBODY, by_worker(press("campaigns_contactlist_export", lambda w: w.everybody))
    ),
    "export many suppressions": (EVERYBODY, export_all("sending_suppression", lambda w: w.suppression)),
    "export many recipients": (
        EVERYBODY, by_worker(press("campaigns_campaign_export", lambda w: w.sending))
    ),
    "cancel an export": (EVERYBODY, press("sending_export_cancel", lambda w: w.export)),
    "add a contact": ({EDITOR, ADMIN}, save("campaigns_contact", CONTACT)),
    "edit a contact": ({EDITOR, ADMIN}, save("campaigns_contact", CONTACT, contact)),
    "delete a contact": ({EDITOR, ADMIN}, delete("campaigns_contact", contact)),
    "add a list": ({EDITOR, ADMIN}, save("campaigns_contactlist", {"name": "New"})),
    "rename a list": (
        {EDITOR, ADMIN}, save("campaigns_contactlist", {"name": "New"}, lambda w: w.everybody)
    ),
    "delete a list": ({EDITOR, ADMIN}, delete("campaigns_contactlist", lambda w: w.everybody)),
    "add a contact to a list": (
        {EDITOR, ADMIN}, choose("campaigns_contact", "add_to_list", contact, to_list=another)
    ),
    "import": ({EDITOR, ADMIN}, import_file),
    "choose the columns of an import": (
        {EDITOR, ADMIN}, press("campaigns_import_columns", lambda w: w.imported, kind_0="email")
    ),
    "start an import": ({EDITOR, ADMIN}, press("campaigns_import_start", lambda w: w.imported)),
    "cancel an import": ({EDITOR, ADMIN}, press("campaigns_import_cancel", lambda w: w.imported)),
    "add an account": ({MANAGER, ADMIN}, save("accounts_smtpaccount", ACCOUNT)),
    "change an account": ({MANAGER, ADMIN}, save("accounts_smtpaccount", ACCOUNT, lambda w: w.account)),
    "remove an account": ({MANAGER, ADMIN}, delete("accounts_smtpaccount", lambda w: w.account)),
    "check an account": ({MANAGER, ADMIN}, check_account),
    "resume an account": ({MANAGER, ADMIN}, choose("accounts_smtpaccount", "resume", lambda w: w.account)),
    "resume an account on its page": (
        {MANAGER, ADMIN}, press("accounts_smtpaccount_resume", lambda w: w.account)
    ),
    "change the pacing": ({ADMIN}, save("sending_pacing", KNOBS, lambda w: Pacing.load())),
    "suppress an address": (
        {EDITOR, ADMIN}, save("sending_suppression", {"email": "new@example.com", "reason": "manual"})
    ),
    "suppress pasted addresses": ({EDITOR, ADMIN}, paste_suppressions),
    "suppress a contact": ({EDITOR, ADMIN}, press("campaigns_contact_suppress", contact)),
    "allow a contact mail again": ({ADMIN}, press("campaigns_contact_unsuppress", suppressed)),
    "take an address off the list": ({ADMIN}, delete("sending_suppression", lambda w: w.suppression)),
    "add a user": ({ADMIN}, save("auth_user", USER)),
    "delete a user": ({ADMIN}, delete("auth_user", lambda w: w.colleague)),
    "delete a superuser": (set(), delete("auth_user", lambda w: w.superuser)),
    "add a group": (set(), save("auth_group", {"name": "New"})),
    "change a group": (set(), save("auth_group", {"name": "New"}, viewers)),
    "delete a group": (set(), delete("auth_group", viewers)),
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_role_may_do_what_its_table_says_and_nothing_else(world: World, action: str, role: str) -> None:
    allowed, act = ACTIONS[action]
    client = log_in(role)
    before = facts()
    response = act(client, world)
    if role in allowed:
        assert response.status_code in (200, 302)
        assert facts() != before
    else:
        assert facts() == before


def test_who_may_only_send_changes_nothing_else_by_a_button_of_the_page(world: World) -> None:
    ACTIONS["pause by the button"][1](log_in("Sender"), world)
    world.sending.refresh_from_db()
    assert (world.sending.name, world.sending.status) == ("sending", "paused")


def test_roles_add_up(world: World) -> None:
    ACTIONS["resume by the button"][1](log_in("Editor", "Sender"), world)
    world.paused.refresh_from_db()
    assert (world.paused.name, world.paused.status) == ("renamed", "sending")
