"""Whoever saves a page that was open for a while changes what he changed; what others did meanwhile stays."""

import pytest

from accounts.models import SmtpAccount
from campaigns.models import Campaign
from sending.actions import set_pacing
from sending.models import Pacing
from tests.factories import make_account, make_campaign, make_list
from tests.queue_rows import make_queue, queued
from tests.staff_page import Page

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    campaign = queued(status="paused", text="Wrong price: 10", html="<p>Wrong\nprice: 10</p>")
    campaign.accounts.set([make_account("one"), make_account("two")])
    make_queue(campaign, "failed", 3)
    return campaign


def test_an_account_that_was_disabled_stays_so_and_keeps_its_lower_limit(admin_client):
    account = make_account(daily_limit=400)
    page = Page(admin_client, "accounts_smtpaccount", account.pk)
    SmtpAccount.objects.update(is_enabled=False, daily_limit=100)
    page.save(from_name="The team")
    account.refresh_from_db()
    assert (account.from_name, account.is_enabled, account.daily_limit) == ("The team", False, 100)


def test_what_was_changed_back_to_what_it_was_is_changed(admin_client):
    account = make_account(daily_limit=400, from_name="The team")
    page = Page(admin_client, "accounts_smtpaccount", account.pk)
    page.save(daily_limit="300", from_name="")
    account.refresh_from_db()
    assert (account.daily_limit, account.from_name) == (300, "")


def test_knobs_that_others_turned_stay(admin_client):
    page = Page(admin_client, "sending_pacing", Pacing.load().pk)
    set_pacing(batch_size=1, batch_interval=600)
    page.save(delay="3")
    pacing = Pacing.load()
    assert (pacing.delay, pacing.batch_size, pacing.batch_interval) == (3, 1, 600)


def test_the_button_resume_brings_no_old_words_back(admin_client, campaign):
    page = Page(admin_client, "campaigns_campaign", campaign.pk)
    Campaign.objects.update(text="Right price: 100", html="<p>Right</p>")
    page.save(**{"_act:resume": "1"})
    campaign.refresh_from_db()
    assert (campaign.status, campaign.text, campaign.html) == ("sending", "Right price: 100", "<p>Right</p>")


def test_nor_an_account_that_was_taken_from_the_campaign(admin_client, campaign):
    page = Page(admin_client, "campaigns_campaign", campaign.pk)
    campaign.accounts.set(SmtpAccount.objects.filter(name="two"))
    page.save(subject="Something else")
    campaign.refresh_from_db()
    assert campaign.subject == "Something else"
    assert [account.name for account in campaign.accounts.all()] == ["two"]


@pytest.mark.parametrize("name", ["accounts_smtpaccount", "sending_pacing", "campaigns_campaign"])
def test_every_field_carries_what_it_held(admin_client, name):
    made = {
        "accounts_smtpaccount": lambda: make_account(warm_up_start=5, warm_up_since="2026-01-02T03:04:05Z"),
        "sending_pacing": Pacing.load,
        "campaigns_campaign": lambda: make_campaign(name="Draft"),
    }
    form = Page(admin_client, name, made[name]().pk).form
    rows = form.xpath(".//div[contains(@class, 'form-row')]")
    fields = [field for row in rows for field in row.xpath(".//input | .//select | .//textarea")]
    names = {field.name for field in fields if field.name and field.get("type") != "password"}
    shown = {name for name in names if not name.startswith("initial-")}
    assert len(shown) > 5
    carried = {field.name for field in form.xpath(".//input[@type='hidden']")}
    # Boxes of which none is ticked carry nothing.
    assert {f"initial-{name}" for name in shown} - carried <= {"initial-lists", "initial-accounts"}


def test_a_page_that_nobody_touched_changes_nothing(admin_client, campaign):
    account = make_account("Shop", warm_up_start=5, warm_up_since="2026-01-02T03:04:05Z", hourly_limit=7)
    before = (SmtpAccount.objects.values().get(pk=account.pk), Campaign.objects.values().get())
    page = Page(admin_client, "accounts_smtpaccount", account.pk)
    page.save()
    Page(admin_client, "campaigns_campaign", campaign.pk).save()
    assert (SmtpAccount.objects.values().get(pk=account.pk), Campaign.objects.values().get()) == before


class TestAPageThatComesBackForAMistake:
    """It still carries what each field held when it was opened."""

    def test_boxes_of_which_none_was_ticked(self, admin_client):
        people = make_list(2)
        draft = make_campaign(name="Draft")
        page = Page(admin_client, "campaigns_campaign", draft.pk)
        page.fail_to_save(lists=str(people.pk), subject="")
        page.save(subject="Hello")
        assert list(draft.lists.all()) == [people]

    def test_a_moment_in_two_fields(self, admin_client):
        account = make_account(warm_up_start=5, warm_up_since="2026-01-02T03:04:05Z")
        page = Page(admin_client, "accounts_smtpaccount", account.pk)
        page.fail_to_save(warm_up_start="", warm_up_since_0="", warm_up_since_1="", daily_limit="many")
        SmtpAccount.objects.update(hourly_limit=7)
        page.save(daily_limit="50")
        account.refresh_from_db()
        assert (account.warm_up_start, account.warm_up_since) == (None, None)
        assert (account.daily_limit, account.hourly_limit) == (50, 7)

    def test_says_what_others_changed_meanwhile(self, admin_client):
        account = make_account(host="localhost", security="none", username="one", password="secret")
        page = Page(admin_client, "accounts_smtpaccount", account.pk)
        SmtpAccount.objects.update(host="smtp.firm.example", security="starttls", hourly_limit=7)
        errors = page.fail_to_save(security="tls", daily_limit="many")
        assert "Changed by somebody else meanwhile: SMTP host and Hourly limit. Load" in errors

    def test_and_says_nothing_of_what_nobody_changed(self, admin_client, campaign):
        errors = Page(admin_client, "campaigns_campaign", campaign.pk).fail_to_save(subject="")
        assert "meanwhile" not in errors
        Campaign.objects.update(text="Hi\n", html="<p>Hi</p>\n")
        errors = Page(admin_client, "campaigns_campaign", campaign.pk).fail_to_save(subject="")
        assert "meanwhile" not in errors
        account = make_account("Shop", warm_up_start=5, warm_up_since="2026-01-02T03:04:05Z")
        assert "meanwhile" not in Page(admin_client, "accounts_smtpaccount", account.pk).fail_to_save(
            email="x"
        )
        assert "meanwhile" not in Page(admin_client, "sending_pacing", Pacing.load().pk).fail_to_save(
            delay="x"
        )
