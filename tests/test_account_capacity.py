"""What accounts may hand over now and within 24 hours: sending/coming.py and where it is shown."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.actions import pause_account
from accounts.models import SmtpAccount
from sending import capacity, coming
from tests.factories import make_account
from tests.queue_rows import make_queue, make_sent, queued
from tests.test_account_admin import LIST, change_url

pytestmark = pytest.mark.django_db
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def left(*accounts: SmtpAccount) -> list[int]:
    """What may go out by each hour from now on."""
    pks = [account.pk for account in accounts]
    return [column.value for column in coming.of(SmtpAccount.objects.filter(pk__in=pks)).columns]


def test_what_was_sent_comes_free_24_hours_later() -> None:
    account, campaign = make_account(daily_limit=10), queued()
    make_sent(campaign, account, 4, age=20 * HOUR - MINUTE)  # free in 4 hours and a minute
    make_sent(campaign, account, 3, age=MINUTE)
    assert left(account) == [3] * 5 + [7] * 19 + [10]
    told = coming.of([account])
    assert (told.now, told.freed, told.limit) == (3, 7, 10)
    assert [(hour, column.new) for hour, column in enumerate(told.columns) if column.new] == [(5, 4), (24, 3)]


def test_mail_that_is_on_its_way_counts_as_handed_over_now() -> None:
    account = make_account(daily_limit=10)
    make_queue(queued(), "sending", 2, account)
    assert left(account) == [8] * 24 + [10]


def test_a_calendar_day_comes_free_at_its_midnight_all_at_once() -> None:
    account = make_account(daily_limit=10, limit_window="calendar", time_zone="UTC")
    make_sent(queued(), account, 6)
    to_midnight = 24 - timezone.now().hour
    assert left(account) == [4] * to_midnight + [10] * (25 - to_midnight)


def test_a_warm_up_lets_out_more_tomorrow() -> None:
    account = make_account(
        daily_limit=100, warm_up_start=5, warm_up_step=20, warm_up_since=timezone.now() - 12 * HOUR
    )
    told = left(account)
    assert (told[0], told[24]) == (5, 25)
    assert told[11] == 5
    assert told[13] == 25


def test_a_paused_account_has_nothing_until_its_pause_ends() -> None:
    resting, broken, off = make_account("a"), make_account("b"), make_account("c", is_enabled=False)
    pause_account(resting.pk, "Rests.", 3 * HOUR + MINUTE)
    pause_account(broken.pk, "Wrong password.")
    assert left(resting, broken, off) == [0] * 4 + [100] * 21
    told = coming.of(SmtpAccount.objects.all())
    assert (told.limit, told.waiting) == (100, 1)


def test_it_agrees_with_the_capacity_that_claims_go_by() -> None:
    account = make_account(daily_limit=10, hourly_limit=2)
    make_sent(queued(), account, 4, age=5 * HOUR + MINUTE)
    ahead = capacity.ahead([account.pk], [0, 19])[account.pk]
    now = capacity.look([account.pk])[account.pk]
    later = capacity.look([account.pk], timezone.now() + 19 * HOUR)[account.pk]
    assert ahead == [now.limit - now.used, later.limit - later.used] == [6, 10]


def test_it_costs_three_statements_however_many_accounts_there_are(django_assert_num_queries) -> None:
    accounts = [make_account(f"a{n}") for n in range(5)]
    with django_assert_num_queries(3):
        coming.of(accounts)


def test_the_list_and_the_page_show_it(admin_client: Client) -> None:
    account = make_account("Shop", daily_limit=10)
    make_account("Other", daily_limit=5)
    make_sent(queued(), account, 4, age=20 * HOUR)
    page = admin_client.get(change_url(account)).content.decode()
    assert page.count('<rect class="column-chart-value"') == 25
    assert "<dt>Now</dt><dd>6</dd>" in page
    assert "<dt>More within 24 hours</dt><dd>4</dd>" in page
    assert "<dt>Now</dt><dd>11</dd>" in admin_client.get(LIST).content.decode()


def test_an_account_that_waits_for_a_person_says_so_instead(admin_client: Client) -> None:
    account = make_account()
    pause_account(account.pk, "Wrong password.")
    page = admin_client.get(change_url(account)).content.decode()
    assert "Nothing, while the account waits for a person." in page
