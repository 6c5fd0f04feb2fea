"""What would come of queueing a campaign now, in one sentence and day by day."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import actions
from sending import foresight
from sending.foresight import Day, Foresight, day_in_words
from tests.factories import make_account, make_campaign, make_list, set_pace
from tests.queue_rows import beat, make_queue, make_sent, queued

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)  # a Tuesday
HOUR = timedelta(hours=1)


def foreseen(**facts):
    usual = {"count": 1234, "accounts": 3, "ahead": 2, "alive": True, "days": ()}
    return Foresight(NOW, finish=facts.pop("finish", NOW), **{**usual, **facts})


def test_the_sentence_says_how_many_over_how_many_until_when_and_behind_whom():
    at = datetime(2026, 11, 26, 14, 20, tzinfo=UTC)
    assert foreseen(finish=at).sentence == (
        "1,234 mails over 3 accounts: finished Thursday about 14:20; 2 campaigns are ahead"
    )
    assert foreseen(finish=at, count=1, accounts=1, ahead=1).sentence == (
        "1 mail over 1 account: finished Thursday about 14:20; 1 campaign is ahead"
    )
    assert foreseen(finish=at, ahead=0).sentence.endswith("about 14:20")


def test_without_an_end_in_sight_it_says_so():
    assert foreseen(accounts=0, finish=None).sentence.startswith("1,234 mails over 0 accounts: none of them")
    last = (Day(date(2026, 12, 14), 100, 0),)
    assert "not finished before Monday 14 December" in foreseen(finish=None, days=last).sentence
    assert "no end can be foreseen" in foreseen(finish=None).sentence


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(0, "today"), (1, "tomorrow"), (2, "Thursday"), (6, "Monday"), (7, "Tuesday 1 December")],
)
def test_days_are_told_as_people_do(ahead, words):
    assert day_in_words(NOW.date() + timedelta(days=ahead), NOW.date()) == words


@pytest.fixture
def draft(db):
    set_pace(batch_size=10, batch_interval=30, delay=2)
    beat()
    return make_campaign(make_list(2))


def look(campaign, more=2):
    return foresight.look(campaign.pk, more, timezone.localtime())


def test_a_draft_comes_after_all_that_wait(draft):
    make_account(daily_limit=100)
    make_queue(queued("One"), "pending", 60)
    make_queue(queued("Two"), "pending", 30)
    make_queue(queued("Finished"), "sent", 5)
    make_queue(queued("Paused", status="paused"), "pending", 40)
    found = look(draft, 20)
    assert (found.count, found.accounts, found.ahead, found.alive) == (20, 1, 2, True)
    # 90 of the day's 100 are for those ahead: ten go today, ten when the day's window frees.
    assert found.finish - found.now > 24 * HOUR
    assert sum(day.own for day in found.days) == 20
    assert sum(day.others for day in found.days) == 90
    assert found.most_a_day == max(day.total for day in found.days)


def test_one_that_is_sent_already_keeps_its_place(draft):
    make_account(daily_limit=1000)
    actions.queue_campaign(draft)
    make_queue(queued("Behind"), "pending", 500)
    found = look(draft, 5)
    assert (found.count, found.ahead) == (7, 0)
    assert found.finish - found.now < HOUR


def test_only_accounts_that_can_send_by_themselves_count(draft):
    make_account("works")
    make_account("rests", pause_reason="Rest.", paused_until=timezone.now() + HOUR)
    make_account("broken", pause_reason="Mend it.")
    make_account("off", is_enabled=False)
    assert look(draft).accounts == 2
    draft.accounts.set([make_account("own")])
    assert look(draft).accounts == 1


def test_without_an_account_that_can_send_there_is_no_end(draft):
    make_account("broken", pause_reason="Mend it.")
    found = look(draft)
    assert (found.accounts, found.finish, found.days) == (0, None, [])


def test_days_without_mail_are_not_left_out(draft):
    account = make_account(daily_limit=1, limit_window="calendar")
    make_sent(queued("Other"), account, 1)
    draft.scheduled_at = timezone.now() + timedelta(days=3)
    draft.save()
    make_queue(queued("First"), "pending", 1)
    found = look(draft)
    dates = [day.date for day in found.days]
    assert dates == [dates[0] + timedelta(days=n) for n in range(len(dates))]
    assert sum(day.own for day in found.days) == 2
    assert any(day.total == 0 for day in found.days)


def test_the_number_of_queries_depends_on_nothing(draft, django_assert_num_queries):
    make_account()
    look(draft)
    with CaptureQueriesContext(connection) as few:
        look(draft)
    assert len(few) < 15
    for number in range(5):
        make_account(f"more{number}")
        make_queue(queued(f"c{number}"), "pending", 1)
    with django_assert_num_queries(len(few)):
        look(draft)


def test_what_is_being_sent_needs_no_place_within_the_limit_a_second_time(draft):
    account = make_account(daily_limit=10)
    under_way = queued("Under way")
    make_sent(under_way, account, 4)
    make_queue(under_way, "sending", 6, account)
    found = look(under_way, 0)
    assert found.finish - found.now < HOUR
