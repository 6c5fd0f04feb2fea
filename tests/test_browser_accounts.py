"""The pages of accounts and of the pacing in a real browser, as somebody in an office uses them."""

import pytest
from django.urls import reverse

from accounts.actions import pause_account, resume_account
from accounts.models import SmtpAccount
from config.demo.smtp_server import Action, LocalSmtpServer
from sending.models import Pacing
from tests.browser import assert_accessible, assert_accessible_in_every_look
from tests.factories import make_account
from tests.queue_rows import make_queue, make_sent, queued

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]
LIST, ADD = reverse("admin:accounts_smtpaccount_changelist"), reverse("admin:accounts_smtpaccount_add")
ADDRESS, PASSWORD = "me@sender.example", "Xq7-never-shown"


def pacing_page() -> str:
    return reverse("admin:sending_pacing_change", args=[Pacing.load().pk])


def test_an_account_is_added_checked_and_mended(page):
    with LocalSmtpServer({ADDRESS: PASSWORD}) as server:
        page.goto(LIST)
        page.get_by_role("link", name="Add an account").click()
        page.get_by_role("link", name="Another SMTP server").click()
        page.get_by_label("Email:").fill(ADDRESS)
        page.get_by_label("SMTP host").fill("127.0.0.1")
        page.get_by_label("SMTP port").fill(str(server.port))
        page.get_by_label("Security:", exact=True).select_option("none")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Save and check connection").click()
        page.get_by_text(f"127.0.0.1 does not accept user name “{ADDRESS}” with this password.").wait_for()
        assert page.get_by_text("Log in failed").is_visible()

        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("The connection works.").wait_for()
        assert_accessible(page)
    assert SmtpAccount.objects.get().username == ADDRESS
    assert not server.received


def test_while_a_server_keeps_a_check_waiting_the_page_says_so(page, settings):
    settings.SMTP_TIMEOUT = 5
    with LocalSmtpServer({ADDRESS: PASSWORD}) as server:
        account = make_account(email=ADDRESS, port=server.port, username=ADDRESS, password=PASSWORD)
        pause_account(account.pk, "Wrong password.")
        server.script = lambda phase, login, rcpt: Action.STALL if phase == "connect" else None
        page.goto(reverse("admin:accounts_smtpaccount_change", args=[account.pk]))
        button = page.get_by_role("button", name="Check connection")
        button.click()
        page.get_by_text("Asking 127.0.0.1. That takes a few seconds").wait_for()
        assert button.is_disabled()
        page.get_by_text("Paused until resumed: Wrong password.").wait_for()
        page.get_by_text("does not greet as an SMTP server").wait_for(timeout=60_000)
        server.script = None
        page.get_by_role("button", name="Check again").click()
        page.get_by_text("The account sends again.").wait_for()
        page.get_by_text("Ready.").wait_for()
    page.reload()
    page.get_by_text("A check of the connection worked: maria").wait_for()


def test_several_accounts_are_checked_from_the_list(page):
    with LocalSmtpServer() as server:
        make_account("good", port=server.port)
        make_account("bad", port=1)
        page.goto(LIST)
        page.locator("#action-toggle").check()
        page.get_by_label("Action:").select_option("check_connection")
        page.get_by_role("button", name="Go").click()
        page.get_by_text("Nothing listens on 127.0.0.1, port 1.").wait_for()
        page.get_by_text("The connection works.").wait_for()
        assert_accessible(page)
        server.script = lambda phase, login, rcpt: "550 5.7.1 No" if phase == "mail" else None
        page.get_by_role("button", name="Check again good").click()
        page.get_by_text("does not let this account send from its address").wait_for()
    assert page.get_by_text("Nothing listens on 127.0.0.1, port 1.").is_visible()


def test_what_the_knobs_lead_to_follows_what_is_typed(page):
    make_account(daily_limit=2000)
    make_queue(queued(), "pending", 60)
    page.goto(pacing_page())
    outlook = page.locator("#outlook")
    outlook.get_by_text("20 mails a minute; at most 2,000 a day over 1 account.").wait_for()
    page.get_by_label("Delay").fill("10")
    outlook.get_by_text("The batch interval has no effect.").wait_for()
    page.get_by_label("Delay").fill("")
    outlook.get_by_text("Delay (seconds): This field is required.").wait_for()
    page.get_by_label("Delay").fill("1")
    page.get_by_label("Batch interval").fill("60")
    outlook.get_by_text("10 mails a minute; at most 2,000 a day").wait_for()
    outlook.get_by_text("The 60 mails that wait take about 6 minutes").wait_for()
    assert Pacing.load().batch_interval == 30
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("was changed successfully").wait_for()
    assert Pacing.load().batch_interval == 60


def test_the_pages_are_accessible_and_fit_with_all_that_is_folded_open(page):
    account = make_account("Shop", provider="gmail", daily_limit=10)
    make_sent(queued(), account, 4)
    pause_account(account.pk, "The log-in was refused: enter the right password. (535 5.7.8)")
    resume_account(account.pk, by="maria")
    paused = make_account("Paused", pause_reason="Mend it.")
    change = [reverse("admin:accounts_smtpaccount_change", args=[one.pk]) for one in (account, paused)]
    adding = [ADD, f"{ADD}?provider=gmail", f"{ADD}?provider=custom"]
    for url in (LIST, *change, *adding, pacing_page()):
        page.goto(url)
        for details in page.locator("#content details").all():
            details.evaluate("element => element.open = true")
        assert_accessible_in_every_look(page)
