"""How moments and figures are told: one way, by the language and in the time zone of the site."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.utils import translation
from django.utils.formats import date_format

from accounts.words import moment, number, upcoming

NOON = datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "told"),
    [
        (timedelta(hours=2, minutes=5), "today 14:05"),
        (timedelta(hours=-12), "today 00:00"),
        (timedelta(hours=12), "tomorrow 00:00"),
        (timedelta(hours=-13), "yesterday 23:00"),
        (timedelta(days=2), "Thu 26 Nov, 12:00"),
        (timedelta(days=-2), "22 Nov, 12:00"),
        (timedelta(days=7), "1 Dec, 12:00"),
        (timedelta(days=90), "22 Feb 2027, 12:00"),
    ],
)
def test_near_moments_are_told_by_their_day_and_others_by_their_date(distance, told):
    assert moment(NOON + distance, NOON) == told


def test_a_moment_is_told_in_the_time_zone_of_now():
    late = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
    assert moment(late, NOON.astimezone(timezone(timedelta(hours=1)))) == "tomorrow 00:30"


def test_seconds_are_told_where_they_matter():
    assert moment(NOON, NOON, seconds=True) == "today 12:00:05"


@pytest.mark.parametrize(
    ("language", "told"), [("de", "3. März, 12:00:05"), ("fi", "3. maaliskuu, 12.00.05")]
)
def test_each_language_has_its_own_formats(language, told):
    with translation.override(language):
        assert moment(NOON.replace(month=3, day=3), NOON, seconds=True) == told


def test_what_happens_by_itself_is_due_within_a_minute():
    assert upcoming(NOON + timedelta(minutes=2), NOON) == "today 12:02"
    assert upcoming(NOON, NOON) == upcoming(None, NOON) == "within a minute"


def test_the_admins_own_moments_look_alike():
    assert date_format(NOON, "DATETIME_FORMAT") == "24 Nov 2026, 12:00"
    assert date_format(NOON, "SHORT_DATETIME_FORMAT") == "24 Nov 2026, 12:00"


def test_thousands_are_grouped_as_the_language_does():
    assert number(1234567) == "1,234,567"
    with translation.override("de"):
        assert number(1234567) == "1.234.567"
