from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from campaigns import actions
from campaigns.models import Campaign
from sending import ledger, replies, settle
from sending.dispatch import dispatch
from sending.ledger import Attempt, Hold
from sending.models import Batch, QueuedEmail, Suppression
from sending.retry import retry_due
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = pytest.mark.django_db


def attempt_all(verdict):
    """Dispatches a batch and lets each attempt end like this."""
    long_ago = Now() - timedelta(hours=1)
    Batch.objects.update(created=long_ago, started=long_ago, finished=long_ago)
    dispatch()
    batch = Batch.objects.latest("id")
    hold = Hold(batch.pk, uuid4(), 120)
    Batch.objects.filter(pk=batch.pk).update(started=Now(), token=hold.token)
    for mail in QueuedEmail.objects.filter(batch=batch, status="sending").order_by("position"):
        attempt = Attempt(mail.pk, mail.account_id, "rcpt", 450, "4.2.1", "Later", verdict, 0)
        assert ledger.record(hold, attempt)
    settle.settle(batch.pk, hold.token)


def make_due():
    QueuedEmail.objects.filter(status="retry").update(next_attempt_at=Now() - timedelta(seconds=1))


@pytest.fixture
def campaign():
    set_pace(retry_interval=300, max_retries=3)
    make_account("a1")
    campaign = make_campaign(make_list(2))
    actions.queue_campaign(campaign)
    return campaign


def states():
    return list(QueuedEmail.objects.order_by("id").values_list("status", "attempts"))


def test_a_mail_refused_for_the_moment_waits_for_its_retry_interval(campaign):
    attempt_all(replies.RECIPIENT_LATER)
    assert states() == [("retry", 1)] * 2
    assert retry_due() == 0
    make_due()
    assert retry_due() == 2
    assert states() == [("pending", 1)] * 2


def test_three_retries_follow_the_first_attempt_and_then_it_has_failed(campaign):
    for _ in range(3):
        attempt_all(replies.RECIPIENT_LATER)
        assert {status for status, _ in states()} == {"retry"}
        make_due()
        retry_due()
    attempt_all(replies.RECIPIENT_LATER)
    assert states() == [("failed", 4)] * 2
    assert QueuedEmail.objects.first().last_reply == "450 4.2.1 Later"


def test_a_refusal_about_the_account_costs_no_attempt(campaign):
    attempt_all(replies.TRY_LATER)
    assert states() == [("pending", 0)] * 2
    for _ in range(5):
        attempt_all(replies.TRY_LATER)
        assert states() == [("retry", 0)] * 2  # in a row: others go first
        make_due()
        retry_due()


def test_no_more_come_back_than_the_accounts_have_left(campaign):
    attempt_all(replies.RECIPIENT_LATER)
    make_due()
    campaign.accounts.set([make_account("small", daily_limit=1)])
    assert retry_due() == 1
    assert sorted(status for status, _ in states()) == ["pending", "retry"]


def test_nothing_comes_back_while_the_campaign_is_paused(campaign):
    attempt_all(replies.RECIPIENT_LATER)
    make_due()
    actions.pause_campaign(campaign)
    assert retry_due() == 0


def test_what_returns_to_a_cancelled_campaign_is_cancelled(campaign):
    from sending.actions import cancel_leftovers

    attempt_all(replies.RECIPIENT_LATER)
    Campaign.objects.update(status="cancelled")
    assert cancel_leftovers() == 2
    assert {status for status, _ in states()} == {"cancelled"}


def test_failed_mails_can_be_sent_again_with_all_their_attempts(campaign):
    attempt_all(replies.RECIPIENT_REFUSED)
    assert states() == [("failed", 1)] * 2
    assert actions.retry_failed(campaign) == 2
    assert states() == [("pending", 0)] * 2
    attempt_all(replies.SENT)
    assert states() == [("sent", 1)] * 2


def test_failed_mails_to_suppressed_addresses_stay_failed_and_are_told(campaign):
    attempt_all(replies.RECIPIENT_REFUSED)
    Suppression.objects.all().delete()
    Suppression.objects.create(email=campaign.queued_emails.earliest("pk").email.upper())
    count = actions.retry_failed(campaign)
    assert states() == [("failed", 1), ("pending", 0)]
    assert actions.told_retried(campaign, count) == (
        f"1 failed email of “{campaign}” goes out again; 1 stays failed, since its address is suppressed"
    )


def test_the_shell_sends_them_again_too(campaign):
    attempt_all(replies.RECIPIENT_REFUSED)
    out = StringIO()
    call_command("retry_failed", campaign.name, stdout=out)
    assert out.getvalue() == f"2 failed emails of “{campaign}” go out again\n"
    assert states() == [("pending", 0)] * 2
    Campaign.objects.update(status="cancelled")
    with pytest.raises(CommandError, match="nothing to retry"):
        call_command("retry_failed", campaign.name)


def test_one_that_is_due_takes_no_other_along(campaign):
    attempt_all(replies.RECIPIENT_LATER)
    first = QueuedEmail.objects.earliest("id")
    QueuedEmail.objects.filter(pk=first.pk).update(next_attempt_at=Now() - timedelta(seconds=1))
    assert retry_due() == 1
    assert states() == [("pending", 1), ("retry", 1)]
