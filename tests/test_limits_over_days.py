"""Days go by, clocks are changed, and no window of the ledger is ever above its limit."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from campaigns import actions
from config.chaos.windows import broken_windows
from sending import capacity, settle
from sending.dispatch import claim, lock_accounts
from sending.models import Batch, QueuedEmail, SendLog
from tests.factories import make_account, make_campaign, make_list, set_pace

pytestmark = pytest.mark.django_db
CHANGES = [
    ("Europe/Berlin", (2025, 3, 30)),
    ("Europe/Berlin", (2025, 10, 26)),
    ("Pacific/Auckland", (2025, 4, 6)),
    ("Pacific/Auckland", (2025, 9, 28)),
    ("America/Sao_Paulo", (2018, 11, 4)),  # there is no midnight, the day begins at 01:00
    ("America/Sao_Paulo", (2019, 2, 17)),  # 23:00 to midnight comes twice, the day before has 25 hours
    ("America/Havana", (2024, 3, 10)),
    ("America/Havana", (2024, 11, 3)),  # midnight comes twice
]
WARM_UP = {"warm_up_start": 2, "warm_up_step": 4}
OF_THE_DAY = [{"limit_window": "calendar"}, {"limit_window": "calendar", **WARM_UP}]
OTHERS = [{"hourly_limit": 4, "minute_limit": 2}, WARM_UP, {"limit_window": "calendar", "hourly_limit": 2}]


@pytest.mark.parametrize(
    ("zone", "day", "limits"),
    [(*change, limits) for change in CHANGES for limits in OF_THE_DAY]
    + [(*CHANGES[1], limits) for limits in OTHERS],
)
def test_no_window_of_the_ledger_is_above_its_limit_around_a_change_of_clocks(zone, day, limits):
    starts = datetime(*day, tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(hours=30)
    if "warm_up_start" in limits:
        limits = {**limits, "warm_up_since": starts - timedelta(hours=1)}
    account = make_account(daily_limit=12, time_zone=zone, **limits)
    send_for_days(account, starts, hours=60)
    moments = list(SendLog.objects.values_list("at", flat=True))
    assert broken_windows(account, moments) == []
    if limits == OF_THE_DAY[0]:
        by_day = Counter(moment.astimezone(ZoneInfo(zone)).date() for moment in moments)
        assert set(list(by_day.values())[1:-1]) == {12}  # and a whole day uses its limit up


def send_for_days(account, moment, hours):
    """Claims as much as the limits leave, again and again, and hands over until the next claim."""
    chance = random.Random(f"{account.time_zone} {moment}")
    pacing = set_pace(batch_size=5)
    actions.queue_campaign(make_campaign(make_list(120)))
    ends = moment + timedelta(hours=hours)
    while moment < ends:
        step = timedelta(seconds=chance.choice([10, 600, 3600]) * chance.uniform(0.5, 2))
        with transaction.atomic():
            batches = claim(pacing, lock_accounts(), {account.pk}, moment)
        for batch in batches:
            hand_over(batch, sorted(moment + step * chance.random() for _ in range(batch.size)))
        moment += step
        assert_it_frees_when_told(account, moment)


def hand_over(batch, moments):
    for mail, at in zip(QueuedEmail.objects.filter(batch=batch).order_by("position"), moments, strict=True):
        SendLog.objects.create(
            queued_email=mail, batch=batch, account_id=mail.account_id, at=at, phase="dot",
            outcome="sent", duration=0,
        )  # fmt: skip
    token = uuid4()
    Batch.objects.filter(pk=batch.pk).update(started=Now(), token=token)
    settle.settle(batch.pk, token)


def assert_it_frees_when_told(account, moment):
    known = capacity.look([account.pk], moment)[account.pk]
    if known.held_by:
        assert capacity.remaining([account.pk], known.held_until)[account.pk] > 0
        just_before = known.held_until - timedelta(microseconds=1)
        assert capacity.remaining([account.pk], just_before)[account.pk] == 0
        assert just_before >= moment
    else:
        assert known.left > 0


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_a_calendar_day_begins_at_its_first_moment(zone, day):
    moment = datetime(*day, tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(hours=30)
    ends = moment + timedelta(hours=60)
    while (moment := moment + timedelta(minutes=13)) < ends:
        for days in (0, 1):
            with connection.cursor() as cursor:
                cursor.execute("SELECT accounts_day_start(%s, %s, %s)", [moment, zone, days])
                start = cursor.fetchone()[0]
            expected = moment.astimezone(ZoneInfo(zone)).date() + timedelta(days=days)
            assert start.astimezone(ZoneInfo(zone)).date() == expected
            before = start - timedelta(microseconds=1)
            assert before.astimezone(ZoneInfo(zone)).date() == expected - timedelta(days=1)


def test_a_wrong_time_zone_harms_no_account_and_counts_any_24_hours():
    account = make_account(limit_window="calendar", time_zone="Europe/Atlantis", daily_limit=3)
    other = make_account("other")
    assert capacity.remaining([account.pk, other.pk]) == {account.pk: 3, other.pk: 100}
