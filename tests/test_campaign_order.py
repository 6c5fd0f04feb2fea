"""The order of sending: as queued, until somebody moves a campaign; queued_at stays history."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from campaigns import actions, order_actions
from campaigns.actions import Refused
from campaigns.models import Campaign
from sending import dispatch
from sending.models import QueuedEmail
from sending.status import queue_status
from tests.factories import make_account, make_campaign, make_list, set_pace
from tests.queue_rows import beat, make_queue, queued

pytestmark = pytest.mark.django_db


@pytest.fixture
def abcd() -> list[Campaign]:
    """Four campaigns with a mail each, b and c queued at the very same moment."""
    start = timezone.now() - timedelta(hours=1)
    ages = {"a": 0, "b": 1, "c": 1, "d": 2}
    campaigns = [queued(name, queued_at=start + timedelta(minutes=age)) for name, age in ages.items()]
    for campaign in campaigns:
        make_queue(campaign)
    return campaigns


def order() -> str:
    """As the dispatcher takes them; the status and the shell tell the same."""
    taken = "".join(Campaign.objects.get(pk=one.pk).name for one in dispatch.campaigns_that_wait())
    told = "".join(one["name"] for one in queue_status()["campaigns"])
    assert taken == told
    return taken


def test_campaigns_go_in_the_order_in_which_they_were_queued(abcd: list[Campaign]) -> None:
    assert order() == "abcd"


def test_one_that_is_moved_first_goes_before_all_others(abcd: list[Campaign]) -> None:
    order_actions.move_first(abcd[2])
    order_actions.move_first(abcd[3])
    assert order() == "dcab"


def test_one_that_is_moved_last_goes_after_all_others(abcd: list[Campaign]) -> None:
    order_actions.move_last(abcd[0])
    order_actions.move_last(abcd[1])
    assert order() == "cdab"


@pytest.mark.parametrize("moved", range(4))
@pytest.mark.parametrize("other", range(4))
def test_one_goes_just_before_another_and_the_rest_keep_their_order(
    abcd: list[Campaign], moved: int, other: int
) -> None:
    if moved == other:
        with pytest.raises(Refused, match="before itself"):
            order_actions.move_before(abcd[moved], abcd[other])
        return
    wanted = [name for name in "abcd" if name != "abcd"[moved]]
    wanted.insert(wanted.index("abcd"[other]), "abcd"[moved])
    order_actions.move_before(abcd[moved], abcd[other])
    assert order() == "".join(wanted)
    order_actions.move_before(abcd[moved], abcd[other])
    assert order() == "".join(wanted)


def test_moving_changes_no_time_of_queueing(abcd: list[Campaign]) -> None:
    before = dict(Campaign.objects.values_list("name", "queued_at"))
    order_actions.move_before(abcd[3], abcd[1])
    order_actions.move_last(abcd[0])
    assert dict(Campaign.objects.values_list("name", "queued_at")) == before


def test_a_campaign_queued_later_comes_after_those_that_were_moved_last(abcd: list[Campaign]) -> None:
    order_actions.move_last(abcd[0])
    late = make_campaign(make_list(1), name="e")
    actions.queue_campaign(late)
    assert order() == "bcdae"


def test_a_paused_campaign_can_be_moved_and_goes_on_in_its_new_place(abcd: list[Campaign]) -> None:
    actions.pause_campaign(abcd[3])
    order_actions.move_first(abcd[3])
    actions.resume_campaign(abcd[3])
    assert order() == "dabc"


def test_a_draft_and_a_cancelled_campaign_have_no_place(abcd: list[Campaign]) -> None:
    with pytest.raises(Refused, match="“draft” is draft: it has no place"):
        order_actions.move_first(make_campaign(name="draft"))
    actions.cancel_campaign(abcd[1])
    for move in (
        lambda: order_actions.move_last(abcd[1]),
        lambda: order_actions.move_before(abcd[0], abcd[1]),
    ):
        with pytest.raises(Refused, match="“b” is cancelled: it has no place"):
            move()
    assert [one.pk for one in dispatch.campaigns_that_wait()] == [abcd[n].pk for n in (0, 2, 3)]


def test_the_next_batch_takes_from_the_campaign_that_was_moved_first(abcd: list[Campaign]) -> None:
    set_pace(batch_size=1)
    make_account()
    order_actions.move_first(abcd[3])
    dispatch.dispatch()
    assert QueuedEmail.objects.get(status="sending").campaign == abcd[3]


def test_the_status_tells_how_many_campaigns_are_ahead(abcd: list[Campaign]) -> None:
    make_account()
    beat()
    order_actions.move_last(abcd[0])
    ahead = {one["name"]: one["ahead"] for one in queue_status()["campaigns"]}
    assert ahead == {"b": 0, "c": 1, "d": 2, "a": 3}


def test_an_index_serves_the_dispatchers_order(abcd: list[Campaign]) -> None:
    Campaign.objects.bulk_create(
        Campaign(name=f"old {n}", subject="x", status="cancelled", queued_at=timezone.now())
        for n in range(2000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_campaign")
        cursor.execute("SET LOCAL enable_sort = off")  # cheap for four rows, not for hundreds
    plan = dispatch.campaigns_that_wait().explain()
    assert "campaigns_campaign_sending" in plan
    assert "Sort" not in plan.partition("SubPlan")[0]


class TestShell:
    def test_it_moves_first_before_and_last(self, abcd: list[Campaign], capsys) -> None:
        call_command("move_campaign", "d", "--first")
        assert order() == "dabc"
        call_command("move_campaign", "c", "--before", "a")
        assert order() == "dcab"
        call_command("move_campaign", "d", "--last")
        assert order() == "cabd"
        assert capsys.readouterr().out.splitlines() == [
            "“d” goes before all others now",
            "“c” goes before “a” now",
            "“d” goes after all others now",
        ]

    @pytest.mark.parametrize("arguments", [["x", "--first"], ["a", "--before", "x"]])
    def test_an_unknown_campaign_is_refused(self, abcd: list[Campaign], arguments: list[str]) -> None:
        with pytest.raises(CommandError, match="There is no campaign “x”: queue_status lists them all"):
            call_command("move_campaign", *arguments)
