"""Long work in a real browser: one asks for it, leaves, comes back, and finds it done by a real cluster."""

import pytest
from django.urls import reverse

from campaigns.models import Campaign
from tests.browser import assert_accessible_in_every_look
from tests.factories import make_account, make_campaign, make_list

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def few_at_once(settings):
    settings.EXPORT_AT_ONCE = settings.QUEUE_AT_ONCE = 100


def test_a_large_export_is_made_while_one_is_elsewhere(page, start_cluster):
    make_list(120, "Customers")
    page.goto(reverse("admin:campaigns_contact_changelist"))
    page.locator("#action-toggle").check()
    page.get_by_text("Select all 120 contacts").click()
    page.get_by_label("Action:").select_option("export")
    page.locator("button[name=index]").click()

    page.get_by_text("Sending is not running, so this waits.").wait_for()
    assert_accessible_in_every_look(page)
    url = page.url
    page.goto(reverse("admin:index"))
    start_cluster()
    page.goto(url)

    link = page.get_by_role("link", name="Download")
    link.wait_for()
    assert_accessible_in_every_look(page)
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "contacts.csv"
    with open(download.value.path(), encoding="utf-8-sig") as file:
        assert len(file.readlines()) == 121
    page.goto(reverse("admin:sending_export_changelist"))
    assert page.get_by_role("link", name="Contacts", exact=True).last.is_visible()
    assert_accessible_in_every_look(page)


def test_a_large_campaign_is_queued_while_one_looks(page, start_cluster):
    make_account()
    campaign = make_campaign(make_list(120), name="Spring")
    page.goto(reverse("admin:campaigns_campaign_review", args=[campaign.pk]))
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Send 120 emails").click()
    page.get_by_text("Queueing 120 emails: see the campaign’s page").wait_for()
    page.get_by_text("Sending is not running, so this waits.").wait_for()
    assert_accessible_in_every_look(page)

    start_cluster()

    page.get_by_role("link", name="Pending 120").wait_for()
    assert Campaign.objects.get().queued_by.username == "maria"
    assert_accessible_in_every_look(page)
