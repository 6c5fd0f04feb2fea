"""The campaign screens: what staff see, what they may change, and what is refused."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from campaigns import actions
from campaigns.models import Attachment, Campaign
from tests.factories import make_campaign, make_list

pytestmark = pytest.mark.django_db
ADD = reverse("admin:campaigns_campaign_add")
LIST = reverse("admin:campaigns_campaign_changelist")


def change_url(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_change", args=[campaign.pk])


def form(**changes: object) -> dict[str, object]:
    return {
        "name": "News", "subject": "Hello", "html": "<p>Hi</p>", "text": "",
        "scheduled_at_0": "", "scheduled_at_1": "",
        "attachments-TOTAL_FORMS": 0, "attachments-INITIAL_FORMS": 0,
        **changes,
    }  # fmt: skip


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def errors(response) -> dict[str, list[str]]:
    return response.context["adminform"].form.errors


@pytest.fixture
def staff() -> Client:
    """May change campaigns and nothing else."""
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["change_campaign", "view_campaign"]))
    client = Client()
    client.force_login(user)
    return client


def test_a_campaign_is_made_in_the_admin_and_says_what_contacts_lack(admin_client: Client) -> None:
    everybody = make_list(2)
    everybody.contacts.create(email="nameless@example.com")
    sent = form(subject="Hi {{ first_name }}", lists=[everybody.pk])
    response = admin_client.post(ADD, sent, follow=True)
    assert Campaign.objects.get().lists.get() == everybody
    assert "1 of 3 contacts lack first_name; it will be empty." in said(response)


@pytest.mark.parametrize("part", ["subject", "html", "text"])
def test_a_template_error_stands_on_its_field_with_line_and_reason(admin_client: Client, part: str) -> None:
    response = admin_client.post(ADD, form(**{part: "{{ first_name | defualt: 1 }}"}))
    assert errors(response) == {part: ["Line 1: there is no filter “defualt”; did you mean “default”?"]}
    assert not Campaign.objects.exists()


def test_an_empty_message_is_refused(admin_client: Client) -> None:
    response = admin_client.post(ADD, form(html=" ", text=""))
    assert errors(response) == {"html": ["Write the message: its HTML, its text, or both."]}


def test_the_list_shows_progress_of_all_campaigns_in_a_fixed_number_of_queries(
    admin_client: Client, django_assert_num_queries
) -> None:
    everybody = make_list(3)
    for number in range(2):
        actions.queue_campaign(make_campaign(everybody, name=f"c{number}"))
    admin_client.get(LIST)
    with django_assert_num_queries(16) as few:
        response = admin_client.get(LIST)
    assert response.content.decode().count("0% of 3") == 2
    for number in range(2, 9):
        actions.queue_campaign(make_campaign(everybody, name=f"c{number}"))
    with django_assert_num_queries(len(few)):
        response = admin_client.get(LIST)
    assert response.content.decode().count("0% of 3") == 9


def test_a_draft_shows_missing_fields(admin_client: Client) -> None:
    everybody = make_list(1)
    everybody.contacts.create(email="nameless@example.com")
    page = admin_client.get(change_url(make_campaign(everybody))).content.decode()
    assert "1 of 2 contacts lack first_name; it will be empty." in page


def test_the_message_and_lists_do_not_change_under_way(admin_client: Client) -> None:
    campaign = make_campaign(make_list(1), html="<p>first")
    other = make_list(1, name="other", prefix="other")
    actions.queue_campaign(campaign)
    response = admin_client.post(
        change_url(campaign), form(name="renamed", html="<p>second", lists=[other.pk]), follow=True
    )
    assert response.status_code == 200
    campaign.refresh_from_db()
    assert (campaign.name, campaign.html, campaign.status) == ("renamed", "<p>first", "sending")
    assert [one.name for one in campaign.lists.all()] == ["everybody"]


def test_a_paused_campaign_may_be_mended_for_the_rest(admin_client: Client) -> None:
    campaign = make_campaign(make_list(1), html="<p>frist")
    actions.queue_campaign(campaign)
    actions.pause_campaign(campaign)
    admin_client.post(change_url(campaign), form(html="<p>first"))
    campaign.refresh_from_db()
    assert (campaign.html, campaign.status) == ("<p>first", "paused")
    assert campaign.lists.count() == 1


def test_a_cancelled_campaign_shows_and_changes_nothing_but_its_name(admin_client: Client) -> None:
    campaign = make_campaign(make_list(1))
    actions.queue_campaign(campaign)
    actions.cancel_campaign(campaign)
    admin_client.post(change_url(campaign), form(name="old", subject="new"))
    campaign.refresh_from_db()
    assert (campaign.name, campaign.subject) == ("old", "Hello {{ first_name }}")


def test_an_anonymous_visitor_sees_the_log_in(client: Client) -> None:
    response = client.get(LIST)
    assert response.status_code == 302
    assert response.url.startswith(reverse("admin:login"))


def test_who_may_change_campaigns_may_attach_files_to_them(staff: Client) -> None:
    campaign = make_campaign(make_list(1))
    page = staff.get(change_url(campaign)).content.decode()
    assert 'name="attachments-__prefix__-file"' in page
    assert Attachment.objects.count() == 0


@pytest.mark.parametrize(
    ("button", "before", "after"),
    [("pause", "sending", "paused"), ("resume", "paused", "sending"),
     ("cancel", "paused", "cancelled"), ("cancel", "sending", "cancelled")],
)  # fmt: skip
def test_a_button_of_the_page_acts(admin_client: Client, button: str, before: str, after: str) -> None:
    everybody = make_list(1)
    campaign = make_campaign(everybody)
    if before != "draft":
        actions.queue_campaign(campaign)
    if before == "paused":
        actions.pause_campaign(campaign)
    assert f'name="_act:{button}"' in admin_client.get(change_url(campaign)).content.decode()
    response = admin_client.post(
        change_url(campaign), form(lists=[everybody.pk], **{f"_act:{button}": "x"}), follow=True
    )
    campaign.refresh_from_db()
    assert campaign.status == after
    assert len(said(response)) == 1


@pytest.mark.parametrize("adding", [True, False])
def test_save_and_review_saves_and_leads_to_the_review(admin_client: Client, adding: bool) -> None:
    everybody = make_list(2)
    url = ADD if adding else change_url(make_campaign(everybody, html="<p>old"))
    response = admin_client.post(url, form(html="<p>new", lists=[everybody.pk], _review="x"))
    campaign = Campaign.objects.get()
    assert response["Location"] == reverse("admin:campaigns_campaign_review", args=[campaign.pk])
    assert (campaign.html, campaign.status) == ("<p>new", "draft")


def test_save_and_review_with_an_error_stays_on_the_page(admin_client: Client) -> None:
    everybody = make_list(2)
    response = admin_client.post(ADD, form(html="{{", lists=[everybody.pk], _review="x"))
    assert response.status_code == 200
    assert not Campaign.objects.exists()


def test_who_may_only_look_finds_no_buttons_and_cannot_press_them(client: Client) -> None:
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_campaign"))
    client.force_login(user)
    campaign = make_campaign(make_list(1))
    actions.queue_campaign(campaign)
    assert "_act:" not in client.get(change_url(campaign)).content.decode()
    assert client.post(change_url(campaign), form(**{"_act:pause": "x"})).status_code == 403
    campaign.refresh_from_db()
    assert campaign.status == "sending"


def test_where_there_is_nothing_to_tick_the_form_leads_to_what_comes_first(admin_client: Client) -> None:
    text = admin_client.get(ADD).content.decode()
    assert '<a href="/admin/campaigns/import/add/">import contacts</a>' in text
    assert '<a href="/admin/accounts/smtpaccount/add/">add an account</a>' in text
    assert "Once it is saved, a test can be sent to oneself here." in text
