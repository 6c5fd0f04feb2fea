"""The accounts' pages beyond the form: providers, checks, pauses, and what a save may not touch."""

import pytest
from django.db.models.signals import pre_save
from django.test import Client
from django.urls import reverse

from accounts.account_pages import MOST_PAUSES
from accounts.actions import pause_account, resume_account
from accounts.models import SmtpAccount
from accounts.presets import PRESETS, Provider
from config.demo.smtp_server import LocalSmtpServer
from tests.factories import make_account
from tests.test_account_admin import ADD, LIST, PASSWORD, act, change_url, errors, form, said

pytestmark = pytest.mark.django_db
CHECK = reverse("admin:accounts_smtpaccount_check")
FROM_HTMX = {"HX-Request": "true"}


def fields(page: str) -> list[str]:
    """The names of the fields that stand before what is folded."""
    return [name for name in form() if f'name="{name}"' in page.split("<details>")[0]]


def check(client: Client, *accounts: SmtpAccount, **more: object):
    return client.post(CHECK, {"account": [account.pk for account in accounts]}, **more)


def test_adding_begins_with_the_choice_of_a_provider(admin_client: Client) -> None:
    page = admin_client.get(ADD).content.decode()
    for provider in Provider.values:
        assert f'href="?provider={provider}"' in page
    assert 'type="password"' not in page


@pytest.mark.parametrize("provider", PRESETS)
def test_a_known_provider_wants_address_and_password_and_tells_where_that_comes_from(
    admin_client: Client, provider: str
) -> None:
    page = admin_client.get(f"{ADD}?provider={provider}").content.decode()
    assert fields(page) == ["provider", "email", "from_name", "new_password", "daily_limit"]
    assert f'type="hidden" name="provider" value="{provider}"' in page
    assert 'name="host"' in page.split("<details>", 1)[1]
    links = ("https://myaccount.google.com/apppasswords", "https://admin.microsoft.com")
    assert f'href="{links[provider == "microsoft365"]}"' in page


def test_another_server_wants_its_host_too(admin_client: Client) -> None:
    page = admin_client.get(f"{ADD}?provider=custom").content.decode()
    assert {"host", "port", "security", "username", "new_password"} <= set(fields(page))
    assert '<label class="required" for="id_host">' in page


def test_a_provider_that_nobody_knows_leads_to_the_choice(admin_client: Client) -> None:
    assert b'href="?provider=gmail"' in admin_client.get(f"{ADD}?provider=nonsense").content


def test_what_is_folded_opens_where_it_is_wrong(admin_client: Client) -> None:
    wrong = form(provider="gmail", host="", new_password=PASSWORD, hourly_limit="0")
    response = admin_client.post(f"{ADD}?provider=gmail", wrong)
    assert list(errors(response)) == ["hourly_limit"]
    page = response.content.decode()
    limits = page.split('name="hourly_limit"')[0].rsplit("<fieldset", 1)[1]
    assert "<details>" not in limits


def test_a_save_leaves_the_pause_that_the_dispatcher_set_meanwhile(admin_client: Client) -> None:
    account = make_account(email="news@sender.example")

    def pause_just_then(**_: object) -> None:
        pause_account(account.pk, "Daily limit reached.")

    pre_save.connect(pause_just_then, sender=SmtpAccount)
    try:
        local = {"host": "127.0.0.1", "security": "none", "port": "9"}
        assert admin_client.post(change_url(account), form(**local, daily_limit="7")).status_code == 302
    finally:
        pre_save.disconnect(pause_just_then, sender=SmtpAccount)
    account.refresh_from_db()
    assert (account.daily_limit, account.pause_reason) == (7, "Daily limit reached.")


def test_a_save_that_changes_nothing_writes_nothing(admin_client: Client) -> None:
    account = make_account(email="news@sender.example", name="news", time_zone="UTC")
    same = form(host="127.0.0.1", security="none", port="9", name="news", when_unproven="hold")
    before = SmtpAccount.objects.filter(pk=account.pk).values().get()
    SmtpAccount.objects.update(imap_security="tls")
    admin_client.post(change_url(account), {**same, "imap_security": "tls"})
    assert SmtpAccount.objects.filter(pk=account.pk).values().get() == before


def test_checking_from_the_list_leads_to_a_page_that_says_that_it_asks(admin_client: Client) -> None:
    one, two = make_account("one"), make_account("two")
    page = act(admin_client, "check_connection", one, two).content.decode()
    assert "Asking 2 servers at once." in page
    assert 'hx-trigger="load, submit"' in page
    assert f'name="account" value="{one.pk}"' in page
    assert f'name="account" value="{two.pk}"' in page


def test_a_check_says_for_each_what_is_wrong_and_resumes_what_is_mended(admin_client: Client) -> None:
    with LocalSmtpServer({"me": PASSWORD}) as server:
        good = make_account("good", port=server.port, username="me", password=PASSWORD)
        bad = make_account("bad", port=server.port, username="me", password="wrong")
        pause_account(good.pk, "Wrong password.")
        page = check(admin_client, good, bad).content.decode()
    assert (
        "127.0.0.1 does not accept user name “me” with this password.</strong> Enter the right ones." in page
    )
    assert "The connection works.</strong> The account sends again." in page
    assert 'Log in</span> <span class="quiet">failed' in page
    good.refresh_from_db()
    assert not good.is_paused
    assert good.pauses.get().end == "A check of the connection worked: admin"
    assert not server.received
    history = admin_client.get(reverse("admin:accounts_smtpaccount_history", args=[bad.pk])).content.decode()
    assert "Checked the connection: 127.0.0.1 does not accept" in history


def test_a_check_answers_htmx_with_a_part_and_others_with_a_page(admin_client: Client) -> None:
    account = make_account()
    assert b"<html" not in check(admin_client, account, headers=FROM_HTMX).content
    assert b"<html" in check(admin_client, account).content


def test_a_check_of_nothing_or_of_nonsense_is_no_error(admin_client: Client) -> None:
    for asked in ([], ["nonsense"], ["9" * 40], ["12345"]):
        assert admin_client.post(CHECK, {"account": asked}).status_code == 200
    assert admin_client.get(CHECK).status_code == 405


def test_the_page_shows_every_pause_with_why_from_when_to_when_and_what_ended_it(
    admin_client: Client,
) -> None:
    account = make_account()
    assert "It was never paused." in admin_client.get(change_url(account)).content.decode()
    pause_account(account.pk, "Wrong password <b>.")
    page = admin_client.get(change_url(account)).content.decode()
    assert "<td>Wrong password &lt;b&gt;.</td>" in page
    assert "lasts until mended" in page
    resume_account(account.pk, by="maria")
    assert "<td>Resumed: maria</td>" in admin_client.get(change_url(account)).content.decode()


def test_older_pauses_are_behind_a_link(admin_client: Client) -> None:
    account = make_account()
    for number in range(MOST_PAUSES + 2):
        pause_account(account.pk, f"Reason {number}.")
        resume_account(account.pk)
    make_account("other", pause_reason="Of another account.")
    page = admin_client.get(change_url(account)).content.decode()
    assert "2 older pauses" in page
    everything = reverse("admin:accounts_accountpause_changelist") + f"?account__id__exact={account.pk}"
    assert everything in page
    listed = admin_client.get(everything).content.decode()
    assert "Reason 0." in listed
    assert "Of another account." not in listed


def test_resuming_on_the_page_says_who_did_it(admin_client: Client) -> None:
    account = make_account()
    pause_account(account.pk, "Wrong password.")
    url = reverse("admin:accounts_smtpaccount_resume", args=[account.pk])
    assert url in admin_client.get(change_url(account)).content.decode()
    assert admin_client.get(url).status_code == 405
    assert said(admin_client.post(url, follow=True)) == ["“a1” sends again."]
    assert account.pauses.get().end == "Resumed: admin"


def test_without_an_account_the_list_says_what_to_do(admin_client: Client) -> None:
    page = admin_client.get(LIST).content.decode()
    assert "No account yet" in page
    assert f'href="{ADD}"' in page
