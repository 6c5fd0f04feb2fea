"""The accounts' screens: what is filled in, what is refused, and that the password never comes out."""

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.actions import pause_account
from accounts.models import SmtpAccount
from campaigns import actions as campaign_actions
from sending.dispatch import dispatch
from sending.models import QueuedEmail
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = pytest.mark.django_db
ADD = reverse("admin:accounts_smtpaccount_add")
LIST = reverse("admin:accounts_smtpaccount_changelist")
PASSWORD = "Xq7-never-shown"


def change_url(account: SmtpAccount) -> str:
    return reverse("admin:accounts_smtpaccount_change", args=[account.pk])


def form(**changes: object) -> dict[str, object]:
    return {
        "provider": "custom", "email": "news@sender.example", "name": "", "from_name": "", "reply_to": "",
        "username": "", "new_password": "", "host": "smtp.sender.example", "port": "", "security": "",
        "daily_limit": "100", "is_enabled": "on", "imap_host": "", "imap_port": "993",
        "limit_window": "rolling", "time_zone": "UTC", "hourly_limit": "", "minute_limit": "", "spacing": "0",
        "spacing_jitter": "0", "warm_up_start": "", "warm_up_step": "10", "warm_up_since_0": "",
        "warm_up_since_1": "",
        **changes,
    }  # fmt: skip


def errors(response) -> dict[str, list[str]]:
    return response.context["adminform"].form.errors


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def act(client: Client, action: str, *accounts: SmtpAccount):
    data = {"action": action, "_selected_action": [account.pk for account in accounts]}
    return client.post(LIST, data, follow=True)


def stored_texts() -> str:
    """Everything that Postgres holds of the accounts, and of the admin's own log, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_smtpaccount t")
        rows = cursor.fetchall()
        cursor.execute("SELECT t::text FROM django_admin_log t")
        return str(rows + cursor.fetchall())


def test_a_provider_fills_in_host_port_and_security(admin_client: Client) -> None:
    sent = form(provider="gmail", host="", new_password="abcd efgh\xa0ijkl mnop")
    assert admin_client.post(ADD, sent).status_code == 302
    account = SmtpAccount.objects.get()
    assert (account.host, account.port, account.security) == ("smtp.gmail.com", 587, "starttls")
    assert (account.name, account.username) == ("news@sender.example", "news@sender.example")
    assert account.password.reveal() == "abcdefghijklmnop"


@pytest.mark.parametrize(
    ("security", "port", "expected"),
    [("", "", ("starttls", 587)), ("tls", "", ("tls", 465)), ("tls", "2465", ("tls", 2465))],
)
def test_security_and_port_left_empty_are_the_usual_ones(
    admin_client: Client, security: str, port: str, expected: tuple[str, int]
) -> None:
    assert admin_client.post(ADD, form(security=security, port=port)).status_code == 302
    account = SmtpAccount.objects.get()
    assert (account.security, account.port) == expected


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"host": ""}, "host", "Enter the SMTP host, or choose a provider"),
        ({"host": "https://smtp.example"}, "host", "no http://, no port"),
        (
            {"provider": "microsoft365", "host": "smtp.gmail.com", "new_password": PASSWORD},
            "host",
            "This is the host of Gmail",
        ),
        ({"username": "me"}, "username", "Enter the password, too"),
        ({"daily_limit": "0"}, "daily_limit", "greater than or equal to 1"),
        ({"port": "70000"}, "port", "less than or equal to 65535"),
        ({"email": "nonsense"}, "email", "Enter a valid email address."),
        (
            {"provider": "gmail", "host": "", "daily_limit": "501", "new_password": PASSWORD},
            "daily_limit",
            "Gmail lets out 500 mails",
        ),
        ({"provider": "gmail", "host": ""}, "new_password", "This field is required."),
        ({"host": "smtp.gmail.com", "daily_limit": "501"}, "daily_limit", "choose that provider"),
        ({"security": "none", "new_password": PASSWORD}, "security", "unencrypted: choose STARTTLS or TLS"),
    ],
)
def test_what_cannot_work_is_refused_on_its_field(
    admin_client: Client, changes: dict[str, str], field: str, reason: str
) -> None:
    response = admin_client.post(ADD, form(**changes))
    assert list(errors(response)) == [field]
    assert reason in str(errors(response)[field])
    assert not SmtpAccount.objects.exists()
    assert PASSWORD not in response.content.decode()


def test_an_address_is_taken_once_whatever_its_case(admin_client: Client) -> None:
    make_account(email="News@Sender.example")
    response = admin_client.post(ADD, form())
    assert "There is an account with this address already." in str(errors(response))
    assert SmtpAccount.objects.count() == 1


def test_the_password_shows_nowhere(admin_client: Client, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    admin_client.post(ADD, form(new_password=PASSWORD))
    account = SmtpAccount.objects.get()
    assert account.password.reveal() == PASSWORD
    pages = [admin_client.get(url).content.decode() for url in (LIST, change_url(account))]
    pages.append(admin_client.get(reverse("admin:accounts_smtpaccount_history", args=[account.pk])).content)
    shown = [*pages, repr(account), str(account), f"{account.password} {account.password!r}", vars(account)]
    assert PASSWORD not in str(shown)
    assert account.password.ciphertext not in str(shown)
    assert PASSWORD not in stored_texts()
    assert account.password.ciphertext in stored_texts()
    assert PASSWORD not in caplog.text


def test_a_password_left_empty_stays_and_a_new_one_replaces_it(admin_client: Client) -> None:
    account = make_account(email="news@sender.example", username="me", password=PASSWORD)
    local = {"host": "127.0.0.1", "security": "none", "port": "25", "username": "me"}
    admin_client.post(change_url(account), form(**local, name="renamed"))
    account = SmtpAccount.objects.get()
    assert (account.name, account.password.reveal()) == ("renamed", PASSWORD)
    response = admin_client.post(change_url(account), form(**local, new_password=" other "), follow=True)
    assert SmtpAccount.objects.get().password.reveal() == " other "
    assert b'hx-trigger="submit, load"' in response.content  # its page checks the connection at once
    assert b'hx-trigger="submit, load"' not in admin_client.get(change_url(account)).content


def test_a_form_with_an_error_keeps_the_stored_password_and_shows_none(admin_client: Client) -> None:
    account = make_account(email="news@sender.example", username="me", password=PASSWORD)
    response = admin_client.post(change_url(account), form(email="nonsense", new_password="other"))
    assert "email" in errors(response)
    assert 'value="other"' not in response.content.decode()
    assert SmtpAccount.objects.get().password.reveal() == PASSWORD


def test_the_list_says_who_is_ready_and_why_the_others_are_not(admin_client: Client) -> None:
    make_account("ready")
    make_account("off", is_enabled=False)
    pause_account(make_account("mended").pk, "Wrong password <b>.")
    pause_account(make_account("window").pk, "Limit.", timezone.now() + timedelta(hours=1))
    pause_account(make_account("over").pk, "Past.", timezone.now() - timedelta(hours=1))
    page = admin_client.get(LIST).content.decode()
    assert page.count(">Ready<") == 2
    assert ">Disabled<" in page
    assert "until resumed: Wrong password &lt;b&gt;." in page
    assert ": Limit." in page


def test_who_may_only_look_sees_the_account_and_changes_nothing(client: Client) -> None:
    account = make_account(username="me", password=PASSWORD)
    pause_account(account.pk, "Because.")
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_smtpaccount"))
    client.force_login(user)
    page = client.get(change_url(account)).content.decode()
    assert "a1@sender.example" in page
    assert 'type="password"' not in page
    assert client.post(change_url(account), form(name="renamed")).status_code == 403
    assert client.get(ADD).status_code == 403
    for action in ("resume", "check_connection"):
        act(client, action, account)
    assert SmtpAccount.objects.get().is_paused


def test_who_may_only_add_can_enter_a_password(client: Client) -> None:
    user = User.objects.create_user("adder", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="add_smtpaccount"))
    client.force_login(user)
    assert 'type="password"' in client.get(ADD + "?provider=custom").content.decode()
    client.post(ADD, form(new_password=PASSWORD))
    assert SmtpAccount.objects.get().password.reveal() == PASSWORD


def test_resume_lets_paused_accounts_send_again(admin_client: Client) -> None:
    account, other = make_account("one"), make_account("two")
    pause_account(account.pk, "Because.", timezone.now() + timedelta(hours=1))
    pause_account(other.pk, "Because.")
    response = act(admin_client, "resume", account)
    assert said(response) == ["Resumed: one@sender.example"]
    assert [one.is_paused for one in SmtpAccount.objects.order_by("name")] == [False, True]


def test_an_account_with_mail_in_the_queue_is_not_deleted(admin_client: Client) -> None:
    set_pace()
    account = make_account()
    campaign_actions.queue_campaign(make_campaign(make_list(1)))
    dispatch()
    assert QueuedEmail.objects.get().account == account
    url = reverse("admin:accounts_smtpaccount_delete", args=[account.pk])
    page = admin_client.get(url).content.decode()
    assert "would require deleting the following protected" in page
    assert "a1: What it did is kept (queued emails): disable it instead." in page
    admin_client.post(url, {"post": "yes"})
    act(admin_client, "delete_selected", account)
    assert SmtpAccount.objects.exists()


def test_an_account_that_sent_nothing_is_deleted(admin_client: Client) -> None:
    account, other = make_account("one"), make_account("two")
    for used in (account, other):
        cancelled = make_campaign(name=used.name, status="cancelled", queued_at=timezone.now())
        cancelled.accounts.add(used)
    admin_client.post(reverse("admin:accounts_smtpaccount_delete", args=[account.pk]), {"post": "yes"})
    assert SmtpAccount.objects.get() == other
