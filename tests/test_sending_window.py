"""The sending window: when it is closed, mail waits, and says so."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import override_settings

from accounts.clock import database_now
from sending import forecast, health, knobs
from sending.dispatch import dispatch
from sending.models import Pacing, QueuedEmail
from sending.sender import send_batch
from sending.status import queue_status
from sending.whereabouts import tell
from sending.window import ALWAYS, MIDNIGHT, MONDAY_TO_FRIDAY, Window
from tests.batches import accounts_at, claim, queue
from tests.factories import make_account, set_pace
from tests.queue_rows import beat
from tests.staff import log_in, page

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Window(time(8), time(18), MONDAY_TO_FRIDAY)
FRIDAY = datetime(2026, 3, 27, tzinfo=BERLIN)  # clocks go forward in the night to Sunday


@pytest.fixture(autouse=True)
def in_berlin():
    with override_settings(TIME_ZONE="Europe/Berlin"):
        yield


def at(days: int, hour: int, minute: int = 0) -> datetime:
    """So many days after that Friday, at this time of the office's clock."""
    return datetime.combine((FRIDAY + timedelta(days=days)).date(), time(hour, minute), BERLIN)


@pytest.mark.parametrize(
    ("now", "opens_at"),
    [
        (at(0, 7, 59), at(0, 8)),
        (at(0, 8), None),
        (at(0, 17, 59), None),
        (at(0, 18), at(3, 8)),  # over the weekend, and the change of the clocks
        (at(1, 12), at(3, 8)),
        (at(3, 9).astimezone(UTC), None),
    ],
)
def test_it_opens_on_its_days_at_its_time(now, opens_at):
    assert OFFICE.opens_at(now) == opens_at


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        (at(0, 7), at(0, 9), 60),
        (at(0, 17), at(3, 9), 120),
        (at(0, 0), at(7, 0), 5 * 600),
        (at(1, 0), at(3, 0), 0),
    ],
)
def test_it_is_open_for_so_many_minutes_of_a_span(start, end, minutes):
    assert OFFICE.minutes(start, end) == minutes


def test_a_day_on_which_the_clocks_go_forward_has_an_hour_less():
    assert Window(closes=time(12)).minutes(at(2, 0), at(3, 0)) == 11 * 60
    assert Window(time(20)).minutes(at(2, 0), at(3, 0)) == 4 * 60
    assert Window(time(20)).opens_at(at(2, 23)) is None


def test_without_one_it_is_always_open():
    assert ALWAYS.opens_at(at(1, 3)) is None
    assert ALWAYS.minutes(at(1, 3), at(1, 4)) == 60
    assert Pacing().window == ALWAYS


def test_a_forecast_leaves_out_the_nights_and_the_weekend():
    account = forecast.Account(1, 10_000, at(0, 0))
    campaign = forecast.Campaign(7, 900, frozenset([1]))
    found = forecast.forecast(at(0, 17), [campaign], [account], 5, OFFICE)  # 300 an hour
    assert at(3, 9, 50) <= found.finish[7] <= at(3, 10, 10)
    assert [found.days[7][at(n, 0).date()] for n in (0, 1, 2, 3)] == [300, 0, 0, 600]
    long = forecast.Campaign(7, 30_000, frozenset([1]))
    finish = forecast.forecast(at(0, 17), [long], [forecast.Account(1, 10**6, at(0, 0))], 5, OFFICE).finish[7]
    assert at(14, 8) <= finish <= at(14, 18)  # ten days of 3,000, from the last hour of the first on


def test_the_knobs_lead_to_what_goes_out_while_it_is_open():
    facts = knobs.Facts(seconds=0, limit=100_000, account_rate=1000, accounts=1, budget=600)
    pacing = Pacing(batch_size=10, batch_interval=30, delay=2, window_opens=time(8), window_closes=time(18))
    assert knobs.effect(pacing, facts).per_day == 20 * 600


def closed() -> str:
    """Closes the window for the hours to come; returns the time at which it opens."""
    now = database_now().astimezone(BERLIN)
    opens, closes = ((time(1), time(2)), (time(13), time(14)))[now.hour < 12]
    set_pace(window_opens=opens, window_closes=closes)
    return f"{opens:%H:%M}"


@pytest.mark.django_db
def test_while_it_is_closed_nothing_is_claimed_and_the_reason_is_told():
    beat()
    make_account(daily_limit=100)
    campaign = queue(3)
    opens = closed()
    done = dispatch()
    assert (done.batches, done.mails) == (0, 0)
    assert done.next_in > 3000  # seconds
    status = queue_status()
    assert f"sending window opens {'today' if opens == '13:00' else 'tomorrow'} {opens}" in status["waiting"]
    entry = next(one for one in status["campaigns"] if one["id"] == campaign.pk)
    assert "sending window opens" in entry["waiting"]
    told = tell(list(QueuedEmail.objects.all()), status, entry)
    assert {one.why for one in told} == {told[0].why}
    assert "the sending window opens" in told[0].why
    set_pace(window_opens=MIDNIGHT, window_closes=MIDNIGHT)
    assert dispatch().mails == 3


@pytest.mark.django_db
def test_mail_that_waits_for_it_is_not_stuck():
    beat()
    make_account(daily_limit=100)
    queue(3, queued_at=database_now() - timedelta(days=1))
    later = database_now() + timedelta(hours=1)
    assert health.is_stuck(later)
    closed()
    assert not health.is_stuck(database_now())


@pytest.mark.django_db
def test_one_that_closes_before_it_opens_is_refused_everywhere():
    with pytest.raises(CommandError, match="--window-closes: Choose a time after that of the beginning"):
        call_command("set_pacing", "--window-opens", "18:00", "--window-closes", "08:00")
    with pytest.raises(ValidationError):
        Pacing(window_opens=time(8), window_closes=time(8)).clean()
    Pacing.load()
    with pytest.raises(IntegrityError), transaction.atomic():
        Pacing.objects.update(window_opens=time(9), window_closes=time(8))
    with pytest.raises(CommandError):
        call_command("set_pacing", "--window-opens", "noon")


@pytest.mark.django_db
def test_it_is_set_in_the_shell_and_in_the_admin(capsys):
    told = call_command(
        "set_pacing", "--window-opens=08:00", "--window-closes=18:30", "--window-days=weekdays"
    )
    assert told.endswith("; sending window: Monday to Friday, 08:00 to 18:30")
    client = log_in("Administrator")
    shown = client.get(page("sending_pacing_change", 1)).content.decode()
    assert 'value="18:30"' in shown
    fields = {
        "batch_size": 10, "scope": "all", "batch_interval": 30, "delay": 2, "jitter": 0,
        "retry_interval": 300, "max_retries": 3,
        "window_days": "every", "window_opens": "09:00", "window_closes": "00:00",
    }  # fmt: skip
    client.post(page("sending_pacing_change", 1), fields)
    assert Pacing.load().window == Window(time(9))
    assert "to 24:00" in call_command("set_pacing")


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_waited_for_its_worker_does_not_begin_once_it_is_closed(smtp_server):
    set_pace()
    accounts_at(smtp_server)
    queue(3)
    batch = claim()
    opens = (database_now().astimezone(BERLIN).hour + 3) % 23
    Pacing.objects.update(window_opens=time(opens), window_closes=time(opens, 30))
    send_batch(batch.pk)
    assert not smtp_server.received
    assert set(QueuedEmail.objects.values_list("status", "attempts")) == {("pending", 0)}


@pytest.mark.django_db
def test_what_is_no_time_of_day_is_told_as_such():
    with pytest.raises(CommandError, match="“25:00” is no time: write it as 08:00"):
        call_command("set_pacing", "--window-opens", "25:00")
    call_command("set_pacing", "--window-opens", "08:00", "--window-closes", "24:00")
    assert (Pacing.load().window_opens, Pacing.load().window_closes) == (time(8), MIDNIGHT)
