"""The tracking page in a real browser, while a real cluster sends."""

import pytest
from django.urls import reverse

from campaigns import actions
from campaigns.models import Campaign
from sending.models import QueuedEmail
from tests.browser import assert_accessible_in_every_look
from tests.cluster import wait_for
from tests.factories import make_account, make_campaign, make_list, set_pace
from tests.queue_rows import beat, log, make_queue, make_sent, queued
from tests.smtp_fixtures import account_at

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


SHOWN_AS_SENT = """() => [...document.querySelectorAll('#states a')]
    .some(link => link.textContent.includes('Sent') && link.querySelector('span').textContent >= 3)"""


def url(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_progress", args=[campaign.pk])


def sent(campaign) -> int:
    return QueuedEmail.objects.filter(campaign=campaign, status="sent").count()


def test_a_campaign_is_paused_and_resumed_while_a_real_cluster_sends(page, start_cluster, smtp_server):
    account_at(smtp_server.port, name="one", daily_limit=1000).save()
    set_pace(batch_size=1, batch_interval=0.3)
    campaign = make_campaign(make_list(30), name="Spring")
    other = make_campaign(make_list(3, "others", "other"), name="Other")
    actions.queue_campaign(campaign)
    page.goto(url(campaign))
    page.evaluate("window.isTheSamePage = true")
    start_cluster()

    page.wait_for_function(SHOWN_AS_SENT, timeout=60_000)
    assert page.evaluate("window.isTheSamePage")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused “Spring”").wait_for()
    page.locator("#summary").get_by_text("paused", exact=True).wait_for()
    page.get_by_text("The campaign is paused").first.wait_for()
    wait_for(lambda: not QueuedEmail.objects.filter(status="sending").exists())
    before = sent(campaign)
    assert 3 <= before < 30
    actions.queue_campaign(other)  # the cluster is at work, and leaves the paused one alone
    wait_for(lambda: sent(other) == 3)
    assert sent(campaign) == before

    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Resumed “Spring”").wait_for()
    page.get_by_text("100%: 30 of 30 done").wait_for(timeout=90_000)
    page.locator("#summary").get_by_text("finished", exact=True).wait_for()
    assert not page.get_by_role("button", name="Pause").is_visible()


def test_what_somebody_types_and_the_place_on_the_page_survive_a_refresh(page):
    beat()
    campaign, account = queued("Spring"), make_account()
    make_queue(campaign, "pending", 40)
    page.goto(url(campaign))
    search = page.get_by_label("Address")
    search.fill("person1")
    page.evaluate("window.scrollTo(0, 300)")
    row = page.locator("#recipients tbody tr").nth(5)
    row.evaluate("row => row.dataset.kept = 'yes'")

    make_sent(campaign, account, 1)

    page.locator(".state", has_text="Sent").get_by_text("1", exact=True).wait_for()
    assert search.input_value() == "person1"
    assert page.evaluate("document.activeElement.id") == "q"
    assert page.evaluate("window.scrollY") == 300
    assert page.locator("#recipients tbody tr").count() == 41


def test_cancelling_asks_first(page):
    beat()
    campaign = queued("Spring")
    make_queue(campaign)
    page.goto(url(campaign))
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Cancel for good").click()
    campaign.refresh_from_db()
    assert campaign.status == "sending"
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel for good").click()
    page.get_by_text("1 email will not be sent").wait_for()


def test_the_export_is_a_download(page):
    beat()
    campaign = queued("Spring")
    make_queue(campaign, "sent", 2)
    page.goto(url(campaign) + "?state=sent")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export 2 rows as CSV").click()
    assert download.value.suggested_filename == "spring-sent.csv"


def test_the_page_is_accessible(page):
    beat()
    campaign, account = queued("Spring"), make_account()
    for status in QueuedEmail.Status.values:
        for mail in make_queue(campaign, status, 2, None if status == "pending" else account, attempts=1):
            log(mail, "retry", account)
    make_queue(queued("Other"))
    for address in (url(campaign), url(make_campaign(name="Draft")), url(campaign) + "?q=nobody"):
        page.goto(address)
        assert_accessible_in_every_look(page)
