"""Every page in a real browser: nothing that the policy stops, nothing that keeps people out."""

import pytest
from django.urls import reverse

from tests.admin_pages import admin_pages, fill
from tests.browser import assert_accessible_in_every_look
from tests.factories import make_account
from tests.queue_rows import make_batch, make_queue, make_sent, queued

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]
LISTS = ("campaigns_campaign", "campaigns_contact", "accounts_smtpaccount", "sending_queuedemail")


def test_no_page_of_the_admin_violates_the_policy(page):
    fill()
    for url in admin_pages():
        if page.request.get(url).ok:
            page.goto(url)
            assert page.evaluate("window.violations") == [], url


def test_the_dashboard_and_the_lists_are_accessible(page):
    fill()
    account, campaign = make_account("Events", daily_limit=2), queued("Evening")
    make_sent(campaign, account, 2)
    make_queue(campaign, "failed", 1, account)
    make_queue(campaign, "uncertain", 1, account)
    make_batch(sent=8, failed=2)
    page.goto("/admin/")
    assert_accessible_in_every_look(page)
    for name in LISTS:
        page.goto(reverse(f"admin:{name}_changelist"))
        assert_accessible_in_every_look(page)
