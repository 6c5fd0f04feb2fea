"""A provider that says that its limit is used up: how long its account rests."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import SmtpAccount
from sending.models import Batch
from tests.batches import accounts_at, received, send, states
from tests.factories import make_campaign, set_pace
from tests.queue_rows import make_sent

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def account(smtp_server, smtp_script) -> SmtpAccount:
    set_pace()
    smtp_script.answers["dot"] = "550 5.4.5 Daily user sending limit exceeded"
    return accounts_at(smtp_server, "one")[0]


def rests_for(account: SmtpAccount) -> timedelta:
    account.refresh_from_db()
    assert account.paused_until is not None
    return account.paused_until - timezone.now()


def test_where_nothing_was_sent_from_here_it_is_asked_again_in_an_hour(account, smtp_server):
    """The rest of the batch, which was claimed and goes back, is no mail that was sent."""
    send(4)
    assert states() == ["pending"] * 4
    assert HOUR - timedelta(minutes=5) < rests_for(account) <= HOUR
    assert not received(smtp_server)


def test_else_it_rests_until_its_oldest_mail_leaves_the_window(account):
    make_sent(make_campaign(name="Yesterday"), account, 1, age=21 * HOUR)
    make_sent(make_campaign(name="Today"), account, 1, age=HOUR)
    Batch.objects.update(token=uuid4())  # as one that was started has
    send(4)
    assert 3 * HOUR - timedelta(minutes=5) < rests_for(account) <= 3 * HOUR
