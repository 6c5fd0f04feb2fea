"""An account that a campaign has chosen stays until that campaign is over: without it, it would use all."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import SmtpAccount
from campaigns import actions
from campaigns.models import Campaign
from sending.models import QueuedEmail
from tests.factories import make_account, make_campaign, make_list

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts() -> list[SmtpAccount]:
    return [make_account("a1"), make_account("a2")]


def chosen_by(accounts: list[SmtpAccount], **fields: object) -> Campaign:
    campaign = make_campaign(make_list(1), **fields)
    campaign.accounts.set(accounts)
    return campaign


def end(campaign: Campaign) -> None:
    """All its mails are in a final state: the campaign is finished."""
    QueuedEmail.objects.filter(campaign=campaign).update(status="failed", finished_at=timezone.now())


def test_one_account_and_all_of_them_at_once_are_kept(accounts: list[SmtpAccount]) -> None:
    campaign = chosen_by(accounts)
    with pytest.raises(ProtectedError, match="It is chosen for “News”"), transaction.atomic():
        accounts[0].delete()
    with pytest.raises(ProtectedError), transaction.atomic():
        SmtpAccount.objects.all().delete()
    assert list(campaign.accounts.all()) == accounts


def test_while_mail_is_open_it_stays_and_then_it_may_go(accounts: list[SmtpAccount]) -> None:
    campaign = chosen_by(accounts)
    actions.queue_campaign(campaign)
    actions.pause_campaign(campaign)
    with pytest.raises(ProtectedError), transaction.atomic():
        SmtpAccount.objects.all().delete()
    end(campaign)
    SmtpAccount.objects.all().delete()
    assert not SmtpAccount.objects.exists()


def test_a_cancelled_campaign_keeps_no_account(accounts: list[SmtpAccount]) -> None:
    campaign = chosen_by(accounts)
    actions.queue_campaign(campaign)
    actions.cancel_campaign(campaign)
    SmtpAccount.objects.all().delete()
    assert not SmtpAccount.objects.exists()


def test_a_campaign_that_uses_all_keeps_none(accounts: list[SmtpAccount]) -> None:
    chosen_by([])
    SmtpAccount.objects.all().delete()
    assert not SmtpAccount.objects.exists()


def test_the_admin_says_why_and_deletes_neither_one_nor_all(
    admin_client: Client, accounts: list[SmtpAccount]
) -> None:
    chosen_by(accounts)
    url = reverse("admin:accounts_smtpaccount_delete", args=[accounts[0].pk])
    assert "It is chosen for “News”: choose others there first" in admin_client.get(url).content.decode()
    admin_client.post(url, {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [one.pk for one in accounts], "post": "yes"}
    response = admin_client.post(reverse("admin:accounts_smtpaccount_changelist"), chosen)
    assert "a2: It is chosen for “News”" in response.content.decode()
    assert SmtpAccount.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_who_chooses_the_account_while_it_is_deleted_is_told(accounts: list[SmtpAccount]) -> None:
    """Either the deletion is refused, or the choice: never is the choice lost in silence."""
    campaign, account = chosen_by([]), accounts[0]
    chosen, deleted = threading.Event(), threading.Event()
    outcome: list[type[BaseException]] = []

    def choose() -> None:
        try:
            with transaction.atomic():
                campaign.accounts.add(account)
                chosen.set()
                deleted.wait(30)
        except IntegrityError as error:
            outcome.append(type(error))
        finally:
            connection.close()

    thread = threading.Thread(target=choose)
    thread.start()
    assert chosen.wait(30)
    account.delete()
    deleted.set()
    thread.join(30)
    assert outcome == [IntegrityError]
    assert not campaign.accounts.exists()
