"""The dashboard in a real browser, while things change under it."""

import pytest
from django.utils import timezone

from campaigns import actions
from tests.factories import make_account, make_campaign, make_list, set_pace
from tests.queue_rows import beat, make_batch, make_queue, make_sent, queued
from tests.smtp_fixtures import account_at

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


def test_it_shows_what_a_real_cluster_sends_without_a_reload(page, start_cluster, smtp_server):
    account = account_at(smtp_server.port, name="Shop", daily_limit=8)
    account.save()
    set_pace(batch_size=3)
    campaign = make_campaign(make_list(12), name="Spring")
    page.goto("/admin/")
    page.evaluate("window.isTheSamePage = true")

    start_cluster()
    page.get_by_text("Sending is running.").wait_for(timeout=60_000)
    actions.queue_campaign(campaign)

    shop = page.locator(f"#account-{account.pk}")
    shop.get_by_text("limit reached").wait_for(timeout=60_000)
    shop.get_by_text("of 8 a day, 0 left").wait_for()
    page.locator(f"#campaign-{campaign.pk}").get_by_text("66% of 12").wait_for(timeout=60_000)
    page.get_by_text("Queue remaining: 4").wait_for(timeout=60_000)
    assert page.evaluate("window.isTheSamePage")


def test_focus_an_open_table_and_the_chart_survive_a_refresh(page):
    campaign, account = queued("Spring"), make_account("Shop", pause_reason="Make an app password.")
    make_sent(campaign, account, 2)
    make_batch(sent=2, finished=timezone.now())
    page.goto("/admin/")
    page.get_by_text("As a table").click()
    resume = page.get_by_role("button", name="Resume Shop")
    resume.focus()
    page.evaluate("window.canvas = document.querySelector('#chart canvas')")

    make_queue(campaign, "pending", 7)

    page.locator("#figures").get_by_role("link", name="7", exact=True).wait_for()
    assert page.evaluate("document.activeElement.textContent").startswith("Resume")
    assert page.locator("#hours").is_visible()
    assert page.evaluate("window.canvas.isConnected")


def test_a_chart_draws_what_came_since(page):
    campaign, account = queued("Spring"), make_account("Shop")
    make_batch(finished=timezone.now())
    page.goto("/admin/")
    page.locator("#chart canvas").wait_for()
    drawn = "() => document.querySelector('#chart canvas').toDataURL()"
    before = page.evaluate(drawn)
    make_sent(campaign, account, 5)
    page.get_by_text("5 sent in all.").wait_for()
    page.wait_for_function(f"before => ({drawn})() !== before", arg=before)


def test_an_account_is_resumed_from_its_card(page):
    account = make_account("Shop", pause_reason="Make an app password.")
    page.goto("/admin/")
    page.get_by_role("button", name="Resume Shop").click()
    page.get_by_text("“Shop” sends again.").wait_for()
    account.refresh_from_db()
    assert account.pause_reason == ""


def test_who_is_logged_out_meanwhile_comes_to_the_log_in_page(page):
    page.goto("/admin/")
    page.context.clear_cookies()
    page.wait_for_url("**/admin/login/**")


def test_nothing_is_asked_for_while_the_page_is_hidden_and_all_at_once_when_it_is_seen(page):
    beat()
    page.goto("/admin/")
    # Not the first answer: what is told to the minute may have changed since the page was made.
    with page.expect_response(lambda response: "fragment" in response.url and response.status == 304):
        pass
    page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    # Three beats of the page's own clock, by the events that htmx fires.
    page.evaluate("""() => new Promise(resolve => {
        let beats = 0;
        document.getElementById('dashboard').addEventListener('every', () => ++beats === 3 && resolve());
    })""")
    assert asked == []
    page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
    with page.expect_response(lambda response: "fragment" in response.url):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
