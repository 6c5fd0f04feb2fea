"""What each role sees: every screen, no secret, and only the buttons that it may press."""

import re

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign
from tests.factories import make_user
from tests.queue_rows import beat, make_sent
from tests.staff import ROLES, World, facts, log_in, make_world, page

pytestmark = pytest.mark.django_db
SCREENS = [
    (f"{app}_{model}", name)
    for app, models in {
        "campaigns": ("campaign", "contact", "contactlist", "import"),
        "accounts": ("smtpaccount", "accountpause"),
        "sending": ("queuedemail", "pacing", "suppression", "export"),
    }.items()
    for model in models
    for name in ("changelist", "change", "history")
]
# The program's inner tables: who looks at them.
INNER = {
    "sending_sendlog": {"Account manager", "Administrator"},
    "sending_batch": {"Administrator"},
    "sending_heartbeat": {"Administrator"},
}
INNER_SCREENS = [(model, name) for model in INNER for name in ("changelist", "change", "history")]
MENU = {
    "Campaigns": ["Campaigns", "Queued emails", "Uncertain emails", "Test emails"],
    "Contacts": ["Contacts", "Contact lists", "Imports", "Suppressions", "Exports"],
    "Accounts": ["SMTP accounts", "Pauses", "Pacing"],
}
MENU_BY_ROLE = {
    "nobody": {},
    **dict.fromkeys(("Viewer", "Editor", "Sender"), MENU),
    "Account manager": {**MENU, "System": ["Ledger", "All tables"]},
    "Administrator": {
        **MENU,
        "Users": ["Users", "Groups"],
        "System": ["Ledger", "Batches", "Heartbeats", "All tables"],
    },
}
PASSWORD = "Xq7-never-shown"


def url_of(model: str, name: str) -> str:
    if name == "changelist":
        return page(f"{model}_changelist")
    return page(f"{model}_{name}", first(model))


def first(model: str) -> int:
    """The id of its first row."""
    return apps.get_model(*model.split("_"))._base_manager.earliest("pk").pk


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def whole_world(world: World) -> World:
    """With rows in each table, and a password that must not be seen."""
    make_sent(world.sending, world.account, 1)
    beat()
    world.account.username, world.account.password = "me", PASSWORD
    world.account.save()
    return world


@pytest.mark.parametrize("role", ROLES[1:])
def test_every_role_opens_every_screen_and_sees_no_secret(whole_world: World, role: str) -> None:
    client = log_in(role)
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM accounts_smtpaccount WHERE password <> ''")
        (encrypted,) = cursor.fetchone()
    for url in [page("index"), reverse("dashboard"), *(url_of(*screen) for screen in SCREENS)]:
        response = client.get(url, follow=True)
        assert response.status_code == 200, url
        assert PASSWORD not in response.content.decode()
        assert encrypted not in response.content.decode()


@pytest.mark.parametrize("role", ROLES[1:])
def test_inner_tables_are_for_who_looks_after_the_program(whole_world: World, role: str) -> None:
    client = log_in(role)
    for model, name in INNER_SCREENS:
        found = client.get(url_of(model, name)).status_code
        assert found == (200 if role in INNER[model] else 403), (model, name)


def menu(client: Client) -> dict[str, list[str]]:
    """The links beside each page, by the title over them."""
    side = client.get(page("password_change")).content.decode().partition('<nav id="side-nav"')[2]
    sections = side.partition("</nav>")[0].split('<p class="nav-title">')[1:]
    return {
        section.partition("</p>")[0]: re.findall(r"<a href[^>]*>([^<]+)</a>", section) for section in sections
    }


@pytest.mark.parametrize("role", MENU_BY_ROLE)
def test_the_menu_shows_what_the_role_may_look_at_by_what_it_is_for(role: str) -> None:
    assert menu(log_in(role)) == MENU_BY_ROLE[role]


def test_a_superuser_finds_the_background_jobs_in_the_menu_too(admin_client: Client) -> None:
    assert "Scheduled tasks" in menu(admin_client)["System"]


def test_every_attempt_is_told_on_a_mails_page_to_who_sees_no_ledger(whole_world: World) -> None:
    shown = log_in("Viewer").get(url_of("sending_queuedemail", "change")).content.decode()
    assert "Attempts" in shown


@pytest.mark.parametrize("screen", [*SCREENS, *INNER_SCREENS], ids=lambda screen: " ".join(screen))
def test_without_a_role_no_screen_opens(whole_world: World, screen: tuple[str, str]) -> None:
    assert log_in("nobody").get(url_of(*screen)).status_code == 403


def test_without_a_role_there_is_no_dashboard_and_no_link_to_it() -> None:
    client = log_in("nobody")
    assert client.get(reverse("dashboard")).status_code == 403
    assert client.get(reverse("dashboard") + "?fragment").status_code == 403
    assert reverse("dashboard") not in client.get(page("index")).content.decode()


def shown_actions(client: Client, model: str) -> set[str]:
    form = client.get(page(f"{model}_changelist")).context["action_form"]
    return {name for name, _ in form.fields["action"].choices if name} if form else set()


def shown_buttons(client: Client, campaign: Campaign) -> set[str]:
    text = client.get(page("campaigns_campaign_change", campaign.pk)).content.decode()
    return set(re.findall(r'name="(_\w+:?\w*)"', text)) - {"_continue"}


@pytest.mark.parametrize(
    ("role", "in_list", "of_draft", "of_sending"),
    [
        ("Viewer", set(), set(), set()),
        ("Account manager", set(), set(), set()),
        ("Editor", {"delete_selected"}, {"_save", "_review"}, {"_save"}),
        (
            "Sender", {"send", "pause", "resume", "cancel", "retry", "first", "last"}, set(),
            {"_act:pause", "_act:retry", "_act:cancel"},
        ),
        (
            "Administrator",
            {"send", "pause", "resume", "cancel", "retry", "first", "last", "delete_selected"},
            {"_save", "_review"}, {"_save", "_act:pause", "_act:retry", "_act:cancel"},
        ),
    ],
)  # fmt: skip
def test_only_what_one_may_press_is_shown(
    world: World, role: str, in_list: set[str], of_draft: set[str], of_sending: set[str]
) -> None:
    client = log_in(role)
    assert shown_actions(client, "campaigns_campaign") == in_list
    assert shown_buttons(client, world.draft) == of_draft
    assert shown_buttons(client, world.sending) == of_sending
    may_manage = role in ("Account manager", "Administrator")
    accounts = {"check_connection", "resume", "delete_selected"} if may_manage else set()
    assert shown_actions(client, "accounts_smtpaccount") == accounts


def test_a_letter_is_shown_to_who_may_see_contacts_only(client: Client, world: World) -> None:
    user = make_user(name="stranger")
    user.user_permissions.add(Permission.objects.get(codename="view_campaign"))
    client.force_login(user)
    for name in ("preview", "letter", "fields"):
        asked = {"campaign": world.draft.pk}
        assert client.post(page(f"campaigns_campaign_{name}"), asked).status_code == 403
        assert log_in("nobody").post(page(f"campaigns_campaign_{name}"), asked).status_code == 403
        User.objects.get(username="user").delete()
    assert (
        "campaign-preview"
        not in client.get(page("campaigns_campaign_change", world.draft.pk)).content.decode()
    )
    found = log_in("Viewer").post(page("campaigns_campaign_preview"), {"campaign": world.draft.pk})
    assert "person1@example.com" in found.content.decode()


def test_the_review_shows_its_button_to_who_may_send(world: World) -> None:
    url = page("campaigns_campaign_review", world.draft.pk)
    assert "Send 2 emails" in log_in("Sender").get(url).content.decode()
    User.objects.get(username="user").delete()
    shown = log_in("Editor").get(url).content.decode()
    assert "ask somebody who may" in shown
    assert "Send 2 emails" not in shown


def test_what_other_knobs_lead_to_is_shown_to_who_sees_the_knobs_and_stores_nothing(world: World) -> None:
    knobs = {
        "batch_size": 25, "scope": "all", "batch_interval": 60, "delay": 1, "jitter": 0,
        "retry_interval": 600, "max_retries": 2,
        "window_days": "every", "window_opens": "00:00", "window_closes": "00:00",
    }  # fmt: skip
    before = facts()["sending_pacing"]
    assert log_in("nobody").post(page("sending_pacing_outlook"), knobs).status_code == 403
    User.objects.get(username="user").delete()
    assert b"25 mails a minute" in log_in("Viewer").post(page("sending_pacing_outlook"), knobs).content
    assert facts()["sending_pacing"] == before


def test_only_who_may_change_an_account_sees_its_buttons(world: World) -> None:
    buttons = (page("accounts_smtpaccount_check"), page("accounts_smtpaccount_resume", world.account.pk))
    for role in ("Viewer", "Account manager"):
        text = log_in(role).get(page("accounts_smtpaccount_change", world.account.pk)).content.decode()
        assert [button in text for button in buttons] == [role == "Account manager"] * 2
        User.objects.get(username="user").delete()


def pressed(model: str) -> dict[str, object]:
    """What a form of the admin sends along when something is done with the first row."""
    return {"post": "yes", "_selected_action": first(model)}


def test_reading_every_screen_changes_nothing(whole_world: World) -> None:
    client = log_in("Administrator")
    before = facts()
    for model, name in [*SCREENS, *INNER_SCREENS]:
        client.get(url_of(model, name))
        for verb in ("send", "cancel", "retry"):
            if name == "changelist" or model == "campaigns_campaign":
                client.get(url_of(model, name), {**pressed(model), "action": verb, f"_act:{verb}": "x"})
    for model in dict.fromkeys(model for model, _ in SCREENS):
        client.get(url_of(model, "delete"), {"post": "yes"})
        client.get(page(f"{model}_add"))
    client.get(page("campaigns_import_add"))
    assert facts() == before
