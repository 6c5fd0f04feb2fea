"""Limits of an account: which one holds it back, what counts, and what is refused as a limit."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.actions import add_account
from accounts.clock import database_now
from accounts.models import SmtpAccount
from sending import capacity
from sending.actions import resolve_as_sent
from sending.models import Batch, QueuedEmail, SendLog
from sending.status import queue_status
from tests.factories import make_account
from tests.queue_rows import beat, make_queue, make_sent, queued

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(hours=24)


def look(account, moment=None):
    return capacity.look([account.pk], moment)[account.pk]


def new(**fields):
    defaults = {"email": "new@sender.example", "host": "127.0.0.1", "port": 25, "security": "none"}
    return add_account(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("limits", "sent_ago", "held_by", "sentence"),
    [
        ({"daily_limit": 2}, HOUR, "24 h", "1 account has used its 24 h limit (next frees "),
        ({"hourly_limit": 2}, 5 * MINUTE, "hour", "1 account has used its hourly limit (next frees "),
        (
            {"minute_limit": 2},
            MINUTE / 4,
            "minute",
            "1 account has used its limit of the minute (next frees ",
        ),
        ({"spacing": 900}, MINUTE, "spacing", "1 account waits for its spacing (next sends "),
        (
            {"warm_up_start": 2, "warm_up_since": timezone.now() - HOUR},
            MINUTE,
            "warm-up",
            "1 account has used its warm-up limit (next frees ",
        ),
        (
            {"daily_limit": 2, "limit_window": "calendar"},
            timedelta(0),
            "day",
            "1 account has used its limit of the day (next frees ",
        ),
    ],
)
def test_the_status_says_which_limit_holds_mail_back(limits, sent_ago, held_by, sentence):
    account, campaign = make_account(**limits), queued()
    beat()
    make_sent(campaign, account, 2, sent_ago)
    make_queue(campaign, count=3)
    status = queue_status()
    told = status["accounts"][0]
    assert told["held_by"] == held_by
    assert told["next_free_at"] > database_now()
    assert told["state"] == ("spaced" if held_by == "spacing" else "full")
    assert sentence in status["waiting"]


def test_of_several_full_limits_the_one_that_holds_longest_is_named():
    account, campaign = make_account(minute_limit=1, hourly_limit=2), queued()
    make_sent(campaign, account, 2, MINUTE / 4)
    known = look(account)
    assert (known.held_by, known.left) == ("hour", 0)
    assert known.held_until > database_now() + 50 * MINUTE


def test_a_full_window_frees_when_enough_of_its_mails_have_left():
    """The limit was lowered to 2 with four mails in it: the third oldest has to go first."""
    account, campaign = make_account(daily_limit=2), queued()
    for hours in (20, 15, 10, 5):
        make_sent(campaign, account, 1, hours * HOUR)
    (third,) = SendLog.objects.order_by("at")[2:3]
    assert look(account).held_until == third.at + DAY


def test_a_warm_up_lets_out_more_each_day_until_the_daily_limit():
    since = database_now()
    account = make_account(daily_limit=35, warm_up_start=10, warm_up_step=10, warm_up_since=since)
    limits = [look(account, since + days * DAY + HOUR).limit for days in range(5)]
    assert limits == [10, 20, 30, 35, 35]
    make_sent(queued(), account, 10, timedelta(0))
    assert look(account).held_until == since + DAY  # the next step comes before the first mail leaves


def test_a_warm_up_is_dated_by_postgres_and_starts_anew_when_its_date_is_cleared():
    account = new(warm_up_start=20)
    assert abs(account.warm_up_since - database_now()) < MINUTE
    account.warm_up_since -= 5 * DAY
    account.full_clean()
    assert account.warm_up_since < database_now() - 4 * DAY
    account.warm_up_since = None
    account.full_clean()
    assert account.warm_up_since > database_now() - MINUTE
    account.warm_up_start = None
    account.full_clean()
    assert account.warm_up_since is None


def test_an_uncertain_mail_counts_from_when_its_batch_was_recovered_and_not_for_ever():
    account = make_account(hourly_limit=5)
    (mail,) = make_queue(queued(), "uncertain", 1, account)
    assert look(account).used == 1  # as long as its batch is at work
    Batch.objects.update(finished=Now() - 2 * HOUR)
    known = look(account)
    assert (known.used, known.left) == (1, 5)  # it has left the hour
    Batch.objects.update(finished=Now() - 25 * HOUR)
    assert look(account).used == 0
    resolve_as_sent([mail.pk])
    assert look(account).used == 0  # it was handed over then, not now


def test_a_mail_that_is_sending_counts_in_every_window_however_long_it_takes():
    account = make_account(minute_limit=3)
    make_queue(queued(), "sending", 2, account)
    Batch.objects.update(
        created=Now() - DAY, started=Now() - DAY, token="00000000-0000-0000-0000-000000000000"
    )
    assert look(account).left == 1


def test_a_refused_mail_gives_its_place_back():
    account = make_account(daily_limit=3)
    (mail,) = make_queue(queued(), "sending", 1, account)
    assert look(account).left == 2
    SendLog.objects.create(
        queued_email=mail, batch=mail.batch, account=account, phase="rcpt", outcome="failed", duration=0
    )
    assert look(account).left == 3


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"hourly_limit": 0}, "hourly_limit", "greater than or equal to 1"),
        ({"minute_limit": -1}, "minute_limit", "greater than or equal to"),
        ({"spacing": -1}, "spacing", "greater than or equal to 0"),
        ({"spacing": 3601}, "spacing", "less than or equal to 3600"),
        ({"spacing_jitter": 301}, "spacing_jitter", "less than or equal to 300"),
        ({"warm_up_start": 0}, "warm_up_start", "greater than or equal to 1"),
        ({"limit_window": "week"}, "limit_window", "not a valid choice"),
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "such as Europe/Berlin or UTC"),
        ({"time_zone": "UTC+25:00:00nonsense"}, "time_zone", "such as Europe/Berlin or UTC"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "such as Europe/Berlin or UTC"),
        (
            {"provider": "gmail", "host": "", "limit_window": "calendar", "daily_limit": 251},
            "daily_limit",
            "enter 250 at most, or let it count in any 24 hours",
        ),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_with_what_to_do(fields, field, reason):
    with pytest.raises(ValidationError) as refused:
        new(**fields)
    assert reason in str(refused.value.message_dict[field])


@pytest.mark.parametrize(
    "fields",
    [
        {"hourly_limit": 0},
        {"minute_limit": 0},
        {"spacing": -1},
        {"spacing": float("nan")},
        {"spacing_jitter": 1e9},
        {"limit_window": "week"},
        {"time_zone": ""},
        {"warm_up_start": 5},
        {"warm_up_since": "2026-01-01T00:00Z"},
    ],
)
def test_postgres_refuses_it_too(fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_account(**fields)


def test_a_new_microsoft_account_gets_its_limit_of_the_minute_which_may_be_changed():
    account = new(provider="microsoft365", host="", security="")
    assert account.minute_limit == 30
    account.minute_limit = None
    account.full_clean()
    assert account.minute_limit is None


def test_add_account_takes_all_limits():
    call_command(
        "add_account", "--email", "a@sender.example", "--host", "127.0.0.1", "--port", "25",
        "--security", "none", "--hourly-limit", "40", "--minute-limit", "5", "--spacing", "2.5,1",
        "--calendar-day", "Europe/Berlin", "--warm-up", "20,15",
    )  # fmt: skip
    account = SmtpAccount.objects.get()
    assert (account.hourly_limit, account.minute_limit) == (40, 5)
    assert (account.spacing, account.spacing_jitter) == (2.5, 1)
    assert (account.limit_window, account.time_zone) == ("calendar", "Europe/Berlin")
    assert (account.warm_up_start, account.warm_up_step) == (20, 15)
    assert account.warm_up_since is not None


@pytest.mark.parametrize("value", ["x", "1,2,3", ""])
def test_add_account_says_what_a_warm_up_looks_like(value):
    with pytest.raises(CommandError, match=r"is not START\[,STEP\], in numbers"):
        call_command(
            "add_account", "--email", "a@x.example", "--host", "h", "--port", "25", "--warm-up", value
        )


def test_a_full_account_s_mail_is_not_claimed_by_a_retry():
    from sending.retry import retry_due

    account, campaign = make_account(hourly_limit=1), queued()
    make_sent(campaign, account, 1)
    make_queue(campaign, "retry", 2, account, next_attempt_at=timezone.now() - HOUR)
    assert retry_due() == 0
    SendLog.objects.update(at=Now() - 2 * HOUR)
    assert retry_due() == 1
    assert QueuedEmail.objects.filter(status="pending").count() == 1


def test_an_uncertain_mail_counts_as_late_as_it_can_have_been_handed_over():
    """Its worker may have been frozen: up to two minutes after its batch was recovered."""
    account = make_account(minute_limit=1)
    make_queue(queued(), "uncertain", 1, account)
    Batch.objects.update(finished=Now() - timedelta(seconds=150))
    assert look(account).left == 0
    Batch.objects.update(finished=Now() - timedelta(seconds=190))
    assert look(account).left == 1


def test_a_mail_of_midnight_counts_on_the_day_that_begins_with_it():
    account = make_account(daily_limit=3, limit_window="calendar", time_zone="UTC")
    make_sent(queued(), account, 1)
    midnight = database_now().replace(hour=0, minute=0, second=0, microsecond=0)
    SendLog.objects.update(at=midnight)
    assert look(account, midnight + HOUR).used == 1
    SendLog.objects.update(at=midnight - timedelta(microseconds=1))
    assert look(account, midnight + HOUR).used == 0
