"""The history of an account's pauses: whatever pauses or resumes it, PostgreSQL keeps a row."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.actions import pause_account, resume_account, resume_mended_account
from accounts.models import AccountPause, SmtpAccount
from tests.factories import make_account

# Each step in a transaction of its own, as it is outside of tests: now() moves.
pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)


@pytest.fixture
def account() -> SmtpAccount:
    return make_account()


def history(account: SmtpAccount) -> list[tuple[str, str, str]]:
    """(reason, what ended it, who), the oldest first."""
    rows = account.pauses.order_by("id")
    return [(row.reason, row.ended_how, row.ended_by) for row in rows]


def sql(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_a_pause_is_noted_with_its_reason_and_its_end(account: SmtpAccount) -> None:
    until = timezone.now() + HOUR
    pause_account(account.pk, "Daily limit.", until)
    pause = account.pauses.get()
    assert (pause.reason, pause.until, pause.ended_at, pause.end) == ("Daily limit.", until, None, "")
    assert abs(pause.began_at - timezone.now()) < HOUR


def test_who_resumed_it_is_noted(account: SmtpAccount) -> None:
    pause_account(account.pk, "Wrong password.")
    resume_account(account.pk, by="maria")
    assert history(account) == [("Wrong password.", "resumed", "maria")]
    assert account.pauses.get().ended_at > account.pauses.get().began_at
    assert account.pauses.get().end == "Resumed: maria"


def test_a_check_that_works_ends_it_and_says_so(account: SmtpAccount) -> None:
    pause_account(account.pk, "Wrong password.")
    account.refresh_from_db()
    assert resume_mended_account(account, by="maria")
    assert history(account) == [("Wrong password.", "mended", "maria")]


def test_one_whose_time_is_up_has_ended_by_itself_whatever_is_pressed_later(account: SmtpAccount) -> None:
    pause_account(account.pk, "Rests.", timedelta(milliseconds=1))
    until = account.pauses.get().until
    resume_account(account.pk, by="maria")
    pause = account.pauses.get()
    assert (pause.ended_at, pause.ended_how, pause.ended_by) == (until, "time", "")
    assert pause.end == "Its time was up"


def test_one_whose_time_ran_out_and_that_nobody_touched_counts_as_over(account: SmtpAccount) -> None:
    pause_account(account.pk, "Rests.", HOUR)
    sql("UPDATE accounts_accountpause SET until = now() - interval '1 minute'")
    pause = account.pauses.get()
    assert (pause.ended_at, pause.over_at, pause.end) == (None, pause.until, "Its time was up")


def test_another_reason_ends_it_and_begins_the_next(account: SmtpAccount) -> None:
    pause_account(account.pk, "Rests.", HOUR)
    pause_account(account.pk, "Wrong password.")
    assert history(account) == [("Rests.", "replaced", ""), ("Wrong password.", "", "")]
    first, second = account.pauses.order_by("id")
    assert first.ended_at == second.began_at


def test_the_same_pause_written_twice_is_one(account: SmtpAccount) -> None:
    pause_account(account.pk, "Rests.", HOUR)
    pause_account(account.pk, "Rests.", 2 * HOUR)
    pause = account.pauses.get()
    assert pause.until - pause.began_at > HOUR


def test_the_same_reason_after_its_time_was_up_is_a_new_pause(account: SmtpAccount) -> None:
    pause_account(account.pk, "Rests.", timedelta(milliseconds=1))
    pause_account(account.pk, "Rests.", HOUR)
    assert history(account) == [("Rests.", "time", ""), ("Rests.", "", "")]


def test_no_code_path_and_no_shell_gets_past_the_history() -> None:
    account = make_account(pause_reason="Born paused.")
    sql("UPDATE accounts_smtpaccount SET pause_reason = '', paused_until = NULL")
    SmtpAccount.objects.bulk_update([SmtpAccount(pk=account.pk, pause_reason="In bulk.")], ["pause_reason"])
    assert history(account) == [("Born paused.", "resumed", ""), ("In bulk.", "", "")]


def test_what_changes_nothing_about_the_pause_notes_nothing(account: SmtpAccount) -> None:
    pause_account(account.pk, "Wrong password.")
    SmtpAccount.objects.update(daily_limit=7)
    pause_account(account.pk, "Rests.", HOUR)  # the longer one stays
    resume_account(make_account("a2").pk)
    assert history(account) == [("Wrong password.", "", "")]
    assert AccountPause.objects.count() == 1


def test_a_pause_that_is_rolled_back_was_none(account: SmtpAccount) -> None:
    with transaction.atomic():
        pause_account(account.pk, "Wrong password.")
        transaction.set_rollback(True)
    assert not AccountPause.objects.exists()


def test_an_account_that_is_removed_takes_its_history_along(account: SmtpAccount) -> None:
    pause_account(account.pk, "Wrong password.")
    account.delete()
    assert not AccountPause.objects.exists()
