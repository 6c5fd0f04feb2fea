"""Many claimers at once never take an account over one of its limits."""

from datetime import timedelta

import pytest
from django.db import connection

from accounts.models import SmtpAccount
from config.chaos import claims
from config.chaos.windows import broken_windows
from sending import capacity
from sending.models import SendLog
from tests.factories import make_account

pytestmark = pytest.mark.django_db(transaction=True)


def test_claimers_that_nothing_but_the_account_rows_keeps_apart_keep_every_limit():
    figures = claims.run(claimers=32, attempts=600, accounts=10, seed=7)
    assert figures.errors == []
    assert figures.over_limit == []
    assert figures.handed_over > 300
    assert _windows_rolled()


def test_dispatchers_that_are_many_keep_every_limit():
    figures = claims.run(claimers=32, attempts=100, accounts=4, seed=7, through_dispatch=True)
    assert figures.errors == []
    assert figures.over_limit == []
    accounts = SmtpAccount.objects.values_list("pk", flat=True)
    assert set(capacity.remaining(accounts).values()) == {0}  # they came as far as they may


@pytest.fixture
def repeatable_read():
    """A database in which a transaction sees, unless it asks for other, what was there when it began."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    connection.close()
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_isolation")
    connection.close()


def test_the_servers_default_isolation_changes_nothing(repeatable_read):
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        assert cursor.fetchone() == ("read committed",)
    figures = claims.run(claimers=16, attempts=200, accounts=3, seed=7)
    assert figures.errors == []
    assert figures.over_limit == []


def _windows_rolled() -> bool:
    """Whether some account sent more than a day's limit in all: its window has let mails out."""
    return any(
        SendLog.objects.filter(account=account, outcome="sent").count() > account.daily_limit
        for account in SmtpAccount.objects.all()
    )


def test_the_check_itself_finds_a_window_above_its_limit():
    account = make_account(daily_limit=2, hourly_limit=1)
    now = account.created_at
    assert broken_windows(account, [now, now + timedelta(hours=2)]) == []
    (hour,) = broken_windows(account, [now, now + timedelta(minutes=59)])
    assert "2 in the hour" in hour
    (day,) = broken_windows(account, [now + timedelta(hours=hours) for hours in (0, 8, 23)])
    assert "3 in the 24 h" in day
