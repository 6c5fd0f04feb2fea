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
        "accounts": ("smtpaccount",),
        "sending": ("queuedemail", "sendlog", "batch", "heartbeat", "pacing", "suppression", "export"),
    }.items()
    for model in models
    for name in ("changelist", "change", "history")
]
PASSWORD = "Xq7-never-shown"


def url_of(model: str, name: str) -> str:
    if name == "changelist":
        return page(f"{model}_changelist")
    objects = apps.get_model(*model.split("_"))._base_manager
    return page(f"{model}_{name}", objects.order_by("pk").first().pk)


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


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: " ".join(screen))
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


def test_reading_every_screen_changes_nothing(whole_world: World) -> None:
    client = log_in("Administrator")
    before = facts()
    verbs = [
        f"?action={name}&_selected_action=1&_act:{name}=x&post=yes" for name in ("send", "cancel", "retry")
    ]
    for model, name in SCREENS:
        for query in ("", *verbs):
            client.get(url_of(model, name) + query)
        client.get(page(f"{model}_delete", 1) + "?post=yes")
        client.get(page(f"{model}_add"))
    client.get(page("campaigns_import_add"))
    assert facts() == before
