"""Long work in a real browser: one asks for it, leaves, comes back, and finds it done by a real cluster."""

import pytest
from django.urls import reverse

from campaigns.models import Campaign
from tests.browser import NARROW, assert_accessible
from tests.factories import make_campaign, make_list

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]
LOOKS = {"light": {}, "dark": {"color_scheme": "dark"}, "narrow": {"viewport": NARROW}}


def assert_fits(page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url


@pytest.fixture(autouse=True)
def few_at_once(settings):
    settings.EXPORT_AT_ONCE = settings.QUEUE_AT_ONCE = 100


@pytest.mark.parametrize("options", LOOKS.values(), ids=LOOKS)
def test_a_large_export_is_made_while_one_is_elsewhere(open_page, django_user_model, start_cluster, options):
    make_list(120, "Customers")
    page = open_page(django_user_model.objects.create_superuser("maria"), **options)
    page.goto(reverse("admin:campaigns_contact_changelist"))
    page.locator("#action-toggle").check()
    page.get_by_text("Select all 120 contacts").click()
    page.get_by_label("Action:").select_option("export")
    page.locator("button[name=index]").click()

    page.get_by_text("No worker is running, so it waits.").wait_for()
    assert_accessible(page)
    assert_fits(page)
    url = page.url
    page.goto(reverse("admin:index"))
    start_cluster()
    page.goto(url)

    link = page.get_by_role("link", name="Download")
    link.wait_for()
    assert_accessible(page)
    assert_fits(page)
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "contacts.csv"
    with open(download.value.path(), encoding="utf-8-sig") as file:
        assert len(file.readlines()) == 121
    page.goto(reverse("admin:sending_export_changelist"))
    assert page.get_by_role("link", name="Contacts", exact=True).last.is_visible()
    assert_accessible(page)
    assert_fits(page)


@pytest.mark.parametrize("options", LOOKS.values(), ids=LOOKS)
def test_a_large_campaign_is_queued_while_one_looks(open_page, django_user_model, start_cluster, options):
    campaign = make_campaign(make_list(120), name="Spring")
    page = open_page(django_user_model.objects.create_superuser("maria"), **options)
    page.goto(reverse("admin:campaigns_campaign_change", args=[campaign.pk]))
    page.locator("[name='_act:send']").click()
    page.get_by_text("Queueing 120 emails: see the campaign’s page").wait_for()
    page.get_by_role("link", name="Progress", exact=True).click()
    page.get_by_text("No worker is running, so it waits.").wait_for()
    assert_accessible(page)
    assert_fits(page)

    start_cluster()

    page.get_by_role("link", name="Pending 120").wait_for()
    assert Campaign.objects.get().queued_by.username == "maria"
    assert_accessible(page)
    assert_fits(page)
