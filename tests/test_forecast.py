"""When campaigns will be finished: sending/forecast.py."""

from datetime import UTC, datetime, timedelta

from sending.forecast import Account, Campaign, forecast, pace

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def account(id=1, left=1000, usable_from=NOW, freed=(), **more):
    return Account(id, left, usable_from, freed, **more)


def campaign(id=1, open=100, accounts=(1,), starts_at=None):
    return Campaign(id, open, frozenset(accounts), starts_at)


def finish(campaigns, accounts, per_minute=20.0):
    return forecast(NOW, campaigns, accounts, per_minute).finish


def test_with_room_for_all_the_pace_decides():
    assert finish([campaign(open=300)], [account()]) == {1: NOW + 15 * MINUTE}


def test_campaigns_go_one_after_the_other():
    ends = finish([campaign(1, 200), campaign(2, 200)], [account()])
    assert ends == {1: NOW + 10 * MINUTE, 2: NOW + 20 * MINUTE}


def test_a_campaign_whose_accounts_are_used_up_does_not_hold_back_the_next():
    ends = finish([campaign(1, 100, [1]), campaign(2, 100, [2])], [account(1, left=0), account(2)])
    assert ends == {2: NOW + 5 * MINUTE}


def test_what_is_beyond_the_limit_waits_for_the_24_hours_to_free():
    freed = [(NOW + 3 * HOUR, 60)]
    ends = finish([campaign(open=100)], [account(left=40, freed=freed)])
    assert NOW + 3 * HOUR < ends[1] <= NOW + 3 * HOUR + 10 * MINUTE


def test_1234_mails_over_three_accounts_of_100_a_day_take_five_days():
    found = forecast(NOW, [campaign(open=1234, accounts=(1, 2, 3))], [account(n, 100) for n in (1, 2, 3)], 20)
    assert NOW + 4 * 24 * HOUR < found.finish[1] < NOW + 4 * 24 * HOUR + 2 * HOUR
    assert list(found.per_day.values())[:4] == [300] * 4
    assert sum(found.per_day.values()) == 1234


def test_nobody_goes_over_a_limit_in_24_hours():
    found = forecast(NOW, [campaign(open=50, accounts=(1, 2))], [account(1, 3), account(2, 7)], 20)
    assert max(found.per_day.values()) <= 10


def test_paused_accounts_and_scheduled_campaigns_wait_for_their_time():
    assert finish([campaign(open=20)], [account(usable_from=NOW + HOUR)])[1] > NOW + HOUR
    assert finish([campaign(open=20, starts_at=NOW + HOUR)], [account()])[1] > NOW + HOUR


def test_what_no_account_can_take_has_no_end_and_ends_the_walk():
    assert finish([campaign()], [account(usable_from=None)]) == {}
    assert finish([campaign()], []) == {}
    assert finish([campaign(open=10**9)], [account(left=10**9)]) == {}


def test_a_calendar_day_frees_at_its_end_and_rolling_hours_24_hours_later():
    midnight = NOW + 15 * HOUR
    day = account(left=100, day_ends=midnight)
    assert midnight < finish([campaign(open=150)], [day])[1] < midnight + 15 * MINUTE
    assert midnight + 24 * HOUR < finish([campaign(open=250)], [day])[1] < midnight + 25 * HOUR
    assert finish([campaign(open=150)], [account(left=100)])[1] > NOW + 24 * HOUR


def test_an_account_with_an_hourly_limit_takes_no_more_than_that():
    assert finish([campaign(open=60)], [account(per_minute=0.5)])[1] >= NOW + 100 * MINUTE


def test_a_pace_of_less_than_a_mail_in_ten_minutes_still_gets_there():
    ends = finish([campaign(open=3)], [account()], per_minute=1 / 60)
    assert NOW + 2.5 * HOUR <= ends[1] <= NOW + 3.5 * HOUR


def test_the_pace_is_that_of_the_interval_or_of_the_work_whichever_is_slower():
    assert pace(batch_size=10, batch_interval=30, delay=2, seconds=0.5) == 20
    assert pace(batch_size=10, batch_interval=1, delay=2, seconds=0.5) == 24
    assert pace(batch_size=10, batch_interval=30, delay=2, seconds=0.5, lanes=3) == 60


def test_what_takes_many_days_is_foreseen_though_the_pace_is_quick():
    ends = finish([campaign(open=1000)], [account(left=100)])
    assert NOW + 9 * 24 * HOUR < ends[1] < NOW + 9 * 24 * HOUR + 3 * HOUR


def test_one_small_account_of_many_is_foreseen_to_the_end():
    accounts = [account(1, left=100), *(account(n, left=2000) for n in range(2, 9))]
    ends = finish([campaign(1, 1000, [1]), campaign(2, 900, [2, 3])], accounts)
    assert NOW + 9 * 24 * HOUR < ends[1] < NOW + 9 * 24 * HOUR + 3 * HOUR


def test_months_are_foreseen_too():
    ends = finish([campaign(open=9000)], [account(left=100)])
    assert NOW + 88 * 24 * HOUR < ends[1] < NOW + 92 * 24 * HOUR
