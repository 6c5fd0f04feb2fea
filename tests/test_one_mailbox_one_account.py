"""A provider counts per mailbox: no two accounts send through the same one, however it is spelt."""

from datetime import timedelta
from threading import Thread

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from accounts.actions import add_account, change_account
from accounts.admin import SmtpAccountAdmin
from accounts.models import SmtpAccount
from sending.models import Batch, QueuedEmail
from tests.cluster import wait_for
from tests.queue_rows import make_queue, make_sent, queued
from tests.staff_page import Page

pytestmark = pytest.mark.django_db


def add(provider: str, username: str, email: str = "", **fields) -> SmtpAccount:
    email = email or f"{SmtpAccount.objects.count()}@sender.example"
    return add_account(provider=provider, username=username, email=email, password="x", **fields)


@pytest.mark.parametrize(
    ("provider", "first", "second"),
    [
        ("gmail", "anna.b@gmail.com", "ANNA.B@gmail.com"),
        ("gmail", "anna.b@gmail.com", "annab@googlemail.com"),
        ("gmail", "anna.b@gmail.com", "anna.b"),
        ("gmail", "anna@gmail.com", "anna+news@gmail.com"),
        ("workspace", "anna@sender.example", "Anna+News@sender.example"),
        ("microsoft365", "anna@sender.example", "Anna@Sender.Example"),
        ("workspace", "anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("workspace", "ab@gmail.com", "a.b@googlemail.com"),
    ],
)
def test_a_second_account_on_the_same_mailbox_is_refused(provider, first, second):
    add(provider, first)
    with pytest.raises(ValidationError, match="logs in to this mailbox, too, and it has one limit"):
        add(provider, second)
    assert SmtpAccount.objects.count() == 1


@pytest.mark.parametrize(
    ("provider", "first", "second"),
    [
        ("gmail", "anna@gmail.com", "ben@gmail.com"),
        ("workspace", "anna.b@sender.example", "annab@sender.example"),
        ("microsoft365", "anna@one.example", "anna@two.example"),
    ],
)
def test_two_mailboxes_are_two_accounts(provider, first, second):
    add(provider, first)
    add(provider, second)
    assert SmtpAccount.objects.count() == 2


def test_gmails_servers_have_a_second_name():
    add("custom", "anna@gmail.com", host="smtp.googlemail.com")
    with pytest.raises(ValidationError, match="logs in to this mailbox, too"):
        add("gmail", "anna@gmail.com")


def test_many_senders_may_share_the_log_in_of_a_relay():
    for name in ("one", "two"):
        add("custom", "apikey", f"{name}@sender.example", host="smtp.relay.example")
    assert SmtpAccount.objects.count() == 2


def test_one_of_them_may_be_kept_that_is_disabled_and_not_enabled_again():
    add("gmail", "anna@gmail.com")
    other = add("gmail", "anna+news@gmail.com", is_enabled=False)
    with pytest.raises(ValidationError, match="use only one of them"):
        change_account(other, is_enabled=True)
    change_account(other, daily_limit=10)


def test_a_new_account_does_not_take_the_place_of_one_that_was_disabled_after_it_sent():
    change_account(add("gmail", "anna@gmail.com"), is_enabled=False)
    with pytest.raises(ValidationError, match="use only one of them"):
        add("gmail", "anna+news@gmail.com")


class TestAMailboxThatHasSent:
    """The ledger is the account's, the limit is the mailbox's."""

    def test_its_account_does_not_move_to_another_one(self):
        account = add("gmail", "anna@gmail.com")
        make_sent(queued(), account, 1)
        for change in ({"username": "ben@gmail.com"}, {"username": "ben@gmail.com", "is_enabled": False}):
            with pytest.raises(ValidationError, match=r"It sent as “anna@gmail\.com” within"):
                change_account(account, **change)
        change_account(account, username="Anna+News@gmail.com", daily_limit=10)

    def test_what_it_sent_long_ago_or_never_keeps_it_not(self):
        account = add("gmail", "anna@gmail.com")
        make_sent(queued(), account, 1, age=timedelta(days=3))
        change_account(account, username="ben@gmail.com")

    def test_a_disabled_one_is_in_the_way_of_another_that_would_be_enabled(self):
        first = add("gmail", "anna@gmail.com")
        make_sent(queued(), first, 1)
        second = add("gmail", "anna+news@gmail.com", is_enabled=False)
        change_account(first, is_enabled=False)
        with pytest.raises(ValidationError, match="use only one of them"):
            change_account(second, is_enabled=True)

    def test_one_that_is_uncertain_for_long_ties_it_no_more(self):
        account = add("workspace", "anna@sender.example")
        (mail,) = make_queue(queued(), "uncertain", 1, account)
        with pytest.raises(ValidationError, match="within the last two days"):
            change_account(account, username="ben@sender.example")
        Batch.objects.filter(pk=mail.batch_id).update(finished=timezone.now() - timedelta(days=3))
        change_account(account, username="ben@sender.example")

    def test_the_same_address_goes_on_at_another_provider_as_it_is_told(self):
        account = add("workspace", "info@firm.example", email="info@firm.example")
        make_sent(queued(), account, 1)
        with pytest.raises(ValidationError, match="For the same From address, give this one another first"):
            change_account(account, provider="microsoft365", password="new")
        change_account(account, is_enabled=False, email="old@firm.example")
        add("microsoft365", "info@firm.example", email="info@firm.example")


class TestAMailboxInWhichUncertainMailIsLookedFor:
    """In another mailbox it is missing, and would be sent again."""

    MOVES = (
        {"imap_host": "imap.other.example"}, {"imap_host": ""}, {"imap_port": 143}, {"username": "two"},
        {"provider": "workspace", "password": "p" * 16},
    )  # fmt: skip

    @pytest.fixture
    def account(self):
        account = add(
            "custom", "one", host="smtp.relay.example", imap_host="imap.relay.example", when_unproven="resend"
        )
        make_queue(queued(), "uncertain", 1, account)
        return account

    @pytest.mark.parametrize("move", MOVES)
    def test_it_is_not_left_while_it_decides_what_is_sent_again(self, account, move):
        with pytest.raises(ValidationError, match="choose “Wait for a person to decide” until"):
            change_account(account, **move)
        change_account(account, name="Renamed")
        change_account(account, when_unproven="hold", **move)
        with pytest.raises(ValidationError, match="choose “Wait for a person to decide” until"):
            change_account(account, when_unproven="resend", imap_host="imap.other.example")

    def test_nor_is_it_emptied_first_and_the_rule_chosen_then(self, account):
        change_account(account, when_unproven="hold", imap_host="")
        with pytest.raises(ValidationError, match="choose “Wait for a person to decide” until"):
            change_account(account, when_unproven="resend")
        QueuedEmail.objects.update(status="cancelled", finished_at=timezone.now())
        change_account(account, when_unproven="resend")

    @pytest.mark.parametrize("move", MOVES)
    def test_it_may_be_left_once_nothing_is_uncertain(self, account, move):
        QueuedEmail.objects.update(status="cancelled", finished_at=timezone.now())
        change_account(account, **move)


def test_a_new_provider_brings_its_own_mailbox_and_limit_a_minute():
    account = add("custom", "one", host="smtp.relay.example", imap_host="imap.relay.example")
    moved = change_account(account, provider="workspace", password="p" * 16)
    assert (moved.host, moved.imap_host, moved.imap_port) == ("smtp.gmail.com", "imap.gmail.com", 993)
    moved = change_account(moved, provider="microsoft365", password="new")
    assert (moved.host, moved.imap_host, moved.minute_limit) == ("smtp.office365.com", "", 30)
    moved = change_account(moved, provider="workspace", password="p" * 16, imap_host="imap.own.example")
    assert moved.imap_host == "imap.own.example"


def test_so_it_does_on_its_page(admin_client):
    account = add("custom", "one", host="smtp.relay.example", imap_host="imap.relay.example")
    page = Page(admin_client, "accounts_smtpaccount", account.pk)
    page.save(provider="workspace", new_password="p" * 16)
    account.refresh_from_db()
    assert (account.host, account.imap_host, account.password.reveal()) == (
        "smtp.gmail.com", "imap.gmail.com", "p" * 16
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_two_people_at_once_do_not_give_it_to_two_accounts():
    refused = []

    def add_another():
        try:
            add("gmail", "anna@gmail.com", "another@sender.example")
        except ValidationError as error:
            refused.append(str(error))
        finally:
            connection.close()

    other = Thread(target=add_another)
    with transaction.atomic():
        add("gmail", "anna@gmail.com")
        other.start()
        wait_for(_somebody_waits, timeout=10, what="the other one to wait")
    other.join()
    assert "logs in to this mailbox, too" in refused[0]
    assert SmtpAccount.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_page_and_the_shell_that_change_the_same_account_wait_for_each_other(admin_client, monkeypatch):
    """The page locks the row when it saves, after it was validated."""
    account = add("gmail", "anna@gmail.com")
    save_model = SmtpAccountAdmin.save_model

    def change_too():
        try:
            change_account(account, daily_limit=7)
        finally:
            connection.close()

    def save_while_another_waits(*args):
        other.start()
        wait_for(_somebody_waits, timeout=10, what="the other one to wait")
        save_model(*args)

    other = Thread(target=change_too)
    monkeypatch.setattr(SmtpAccountAdmin, "save_model", save_while_another_waits)
    Page(admin_client, "accounts_smtpaccount", account.pk).save(name="By the page")
    other.join()
    account.refresh_from_db()
    assert (account.name, account.daily_limit) == ("By the page", 7)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
        return cursor.fetchone() is not None
