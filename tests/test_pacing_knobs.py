"""What the knobs lead to, and which of them hurt: sending/knobs.py, and the page that follows them."""

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.actions import pause_account
from sending.durations import in_words
from sending.knobs import Facts, effect, figure
from sending.models import Pacing
from tests.factories import make_account
from tests.queue_rows import make_queue, queued
from tests.test_queue_admin_knobs import KNOBS

PAGE = "/admin/sending/pacing/1/change/"
OUTLOOK = reverse("admin:sending_pacing_outlook")


def of(*, limit=3000, account_rate=float("inf"), accounts=5, seconds=0.5, **knobs):
    facts = Facts(seconds, limit, account_rate, accounts, budget=600)
    return effect(Pacing(**knobs), facts)


def hints(**what) -> list[str]:
    return [hint.lead for hint in of(**what).hints]


def test_the_usual_knobs_send_20_a_minute_and_hurt_nothing():
    found = of()
    assert (found.per_minute, found.per_day, found.batch, found.patience) == (20, 3000, 25, 900)
    assert found.used_up == 150 * 60
    assert found.hints == []


@pytest.mark.parametrize(
    ("what", "lead"),
    [
        ({"delay": 10}, "The batch interval has no effect."),
        ({"jitter": 10}, "The batch interval has no effect."),
        ({"batch_size": 1, "batch_interval": 5, "delay": 30}, "The batch interval has no effect."),
        ({"batch_size": 1000, "batch_interval": 86_400}, "A batch does not end in time."),
        ({"delay": 0}, "There is no pause between two mails."),
        ({"max_retries": 0}, "Nothing is tried again."),
        ({"retry_interval": 30}, "Retries end too soon."),
        ({"account_rate": 5}, "The accounts are slower than this pace."),
        ({"batch_interval": 300}, "The accounts could take more."),
        ({"accounts": 0, "limit": 0, "account_rate": 0}, "No account can send."),
    ],
)
def test_knobs_that_hurt_are_named(what, lead):
    assert lead in hints(**what)


def test_a_late_batch_is_told_how_many_mails_would_fit():
    (hint,) = of(delay=4).hints
    assert hint.tone == "warning"
    assert "A batch takes about 45 seconds, longer than the 30 seconds" in hint.text
    assert "Make batches of at most 6 mails" in hint.text
    assert hint.lead not in hints(delay=4, batch_size=6)


def test_with_the_batch_size_for_each_account_each_has_its_own_lane():
    assert of(scope="account", accounts=3).per_minute == 60


def test_the_pace_is_never_above_what_the_accounts_let_out():
    assert of(account_rate=5).per_minute == 5


def test_a_slow_pace_bounds_the_day():
    found = of(batch_interval=300)
    assert (found.per_minute, found.per_day, found.used_up) == (2, 2880, None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0.4 seconds"), (1, "1 second"), (45, "45 seconds"), (89, "89 seconds"), (300, "5 minutes"),
        (3600, "1 hour"), (3720, "1 hour 2 minutes"), (11 * 3600 + 1800, "11 hours"), (86_400, "1 day"),
        (90_000, "1 day 1 hour"), (10 * 86_400 + 7200, "10 days"), (3599, "1 hour"), (86_399, "1 day"),
    ],
)  # fmt: skip
def test_lengths_of_time_are_told_in_the_units_that_matter(seconds, words):
    assert in_words(seconds) == words


@pytest.mark.parametrize(("rate", "words"), [(1234.4, "1,234"), (20, "20"), (7.5, "7.5"), (0.254, "0.25")])
def test_rates_are_told_as_exactly_as_they_matter(rate, words):
    assert figure(rate) == words


@pytest.mark.django_db
def test_the_page_tells_what_the_stored_knobs_lead_to(admin_client: Client):
    for n in range(3):
        make_account(f"a{n}", daily_limit=1000)
    make_queue(queued(), "pending", 60)
    page = admin_client.get(PAGE).content.decode()
    assert "20 mails a minute; at most 3,000 a day over 3 accounts." in page
    assert "The 60 mails that wait take about 3 minutes: gone by " in page


@pytest.mark.django_db
def test_what_is_typed_is_followed_and_nothing_is_stored(admin_client: Client):
    make_account(daily_limit=100_000)
    Pacing.load()
    part = admin_client.post(OUTLOOK, {**KNOBS, "scope": "all", "delay": 0.5, "jitter": 0}).content.decode()
    assert "25 mails a minute; at most 36,000 a day over 1 account." in part
    assert "The accounts could take more." in part
    assert Pacing.objects.get().batch_size == 10
    assert admin_client.get(OUTLOOK).status_code == 405


@pytest.mark.django_db
def test_knobs_out_of_range_are_told_instead(admin_client: Client):
    part = admin_client.post(OUTLOOK, {**KNOBS, "batch_size": 0, "delay": "x"}).content.decode()
    assert "Not with these knobs." in part
    assert "Batch size: Ensure this value is greater than or equal to 1." in part
    assert "Delay (seconds): Enter a number." in part


@pytest.mark.django_db
def test_without_an_account_that_can_send_it_says_so(admin_client: Client):
    pause_account(make_account().pk, "Wrong password.")
    make_queue(queued(), "pending", 3)
    page = admin_client.get(PAGE).content.decode()
    assert "No account can send." in page
    assert "The 3 mails that wait take longer than can be foreseen." in page


@pytest.mark.django_db
def test_the_number_of_statements_does_not_grow_with_accounts_and_campaigns(admin_client: Client):
    def statements() -> int:
        with CaptureQueriesContext(connection) as asked:
            admin_client.post(OUTLOOK, {**KNOBS, "scope": "account"})
        return len(asked)

    def more(first: int, last: int) -> None:
        for n in range(first, last):
            make_account(f"a{n}")
            make_queue(queued(f"c{n}"), "pending", 2)

    more(0, 1)
    statements()  # the first makes the row of knobs
    few = statements()
    more(1, 8)
    assert statements() == few


@pytest.mark.django_db
@pytest.mark.parametrize("knob", ["batch_interval", "delay", "jitter", "retry_interval"])
def test_what_is_no_number_is_refused_by_name_and_by_postgres(knob):
    """NaN is greater than all numbers there, and not less than any in Python."""
    Pacing.load()
    with pytest.raises(CommandError, match=f"--{knob.replace('_', '-')}: Enter a number of seconds"):
        call_command("set_pacing", f"--{knob.replace('_', '-')}", "nan")
    with pytest.raises(IntegrityError, match="sending_pacing_sane"):
        Pacing.objects.update(**{knob: float("nan")})
