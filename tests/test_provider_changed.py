"""A provider that is named, or a host that is emptied, brings its own; what is entered beside it stays."""

import pytest
from django.core.management import call_command

from accounts.actions import add_account, change_account
from accounts.models import SmtpAccount
from tests.factories import make_account
from tests.staff_page import Page

pytestmark = pytest.mark.django_db
ADDRESS = "one@sender.example"
USUAL = ("smtp.gmail.com", 587, "starttls")
# What is entered beside the provider, and what it leads to.
ENTERED = [
    ({}, USUAL),
    ({"port": 2587}, ("smtp.gmail.com", 2587, "starttls")),
    ({"port": 465}, ("smtp.gmail.com", 465, "tls")),
    ({"security": "tls"}, ("smtp.gmail.com", 465, "tls")),
    ({"security": "starttls"}, USUAL),
    ({"port": 2465, "security": "tls"}, ("smtp.gmail.com", 2465, "tls")),
]
entered = pytest.mark.parametrize(("beside", "expected"), ENTERED)


@pytest.fixture
def account():
    return make_account(host="smtp.relay.example", port=2525, security="starttls", email=ADDRESS)


def way(account: SmtpAccount) -> tuple[str, int, str]:
    account.refresh_from_db()
    return account.host, account.port, account.security


@entered
def test_in_the_shell(account, beside, expected):
    change_account(account, provider="gmail", password="p" * 16, **beside)
    assert way(account) == expected


@entered
def test_of_an_account_that_is_added(beside, expected):
    add_account(provider="gmail", email=ADDRESS, password="p" * 16, **beside)
    assert way(SmtpAccount.objects.get()) == expected


@entered
def test_where_the_provider_is_named_that_it_has_already(account, beside, expected):
    change_account(account, provider="gmail", password="p" * 16, port=2500)
    options = {f"--{name}": str(value) for name, value in beside.items()}
    call_command(
        "change_account", ADDRESS, "--preset", "gmail", *[part for one in options.items() for part in one]
    )
    assert way(account) == expected


@entered
@pytest.mark.parametrize("host", [{}, {"host": ""}], ids=["host left", "host emptied"])
def test_on_its_page(account, admin_client, host, beside, expected):
    values = {name: str(value) for name, value in beside.items()}
    Page(admin_client, "accounts_smtpaccount", account.pk).save(
        provider="gmail", new_password="p" * 16, **host, **values
    )
    assert way(account) == expected


@entered
def test_where_its_host_is_emptied_on_its_page(account, admin_client, beside, expected):
    change_account(account, provider="gmail", password="p" * 16, host="smtp-relay.gmail.com", port=2500)
    values = {name: str(value) for name, value in beside.items()}
    Page(admin_client, "accounts_smtpaccount", account.pk).save(host="", **values)
    assert way(account) == expected


def test_a_host_of_nothing_but_a_space_is_empty(account):
    change_account(account, provider="gmail", password="p" * 16)
    change_account(account, host=" ")
    assert way(account) == USUAL


def test_a_host_of_its_own_keeps_its_port(account):
    change_account(account, provider="gmail", password="p" * 16, host="smtp-relay.gmail.com")
    assert way(account) == ("smtp-relay.gmail.com", 2525, "starttls")
