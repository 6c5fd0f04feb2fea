"""Why mail waits, in one sentence."""

from datetime import UTC, datetime, time, timedelta

import pytest

from sending.waiting import why_it_waits
from sending.waiting_facts import Account, Campaign, Facts
from sending.window import MONDAY_TO_FRIDAY, Window

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
READY = Account("ready")


def why(**facts) -> str:
    defaults = {"now": NOON, "alive": True, "accounts": [READY], "campaigns": [Campaign()]}
    return why_it_waits(Facts(**{**defaults, **facts}))


def full(frees_at=None) -> Account:
    return Account("full", frees_at=frees_at, held_by="24 h")


def test_nothing_waits_then_nothing_is_said():
    assert why() == ""
    assert why(alive=False, accounts=[]) == ""


def test_mail_that_moves_says_how_fast():
    sentence = why(pending=1234, batch_size=10, batch_interval=30)
    assert sentence == "1,234 waiting: batches of up to 10 go out every 30 s"


def test_full_accounts_say_when_the_first_frees():
    accounts = [full(NOON + timedelta(hours=3)), full(NOON + timedelta(hours=2, minutes=5))]
    assert why(pending=240, accounts=accounts) == (
        "240 waiting: 2 accounts have used their 24 h limit (next frees today 14:05)"
    )


def test_a_full_account_beside_a_ready_one_does_not_stop_the_others():
    assert why(pending=3, accounts=[full(), READY]) == (
        "3 waiting: 1 account has used its 24 h limit, 1 account goes on"
    )


def test_a_paused_account_says_why_in_plain_words_without_the_servers_reply():
    paused = Account("paused", pause_reason="Make a new app password. (534 5.7.9 Password required)")
    assert why(pending=3, accounts=[paused]) == ("3 waiting: 1 account is paused (Make a new app password)")


@pytest.mark.parametrize(
    "reply",
    [
        "(535 5.7.0 (#AUTH005) Too many bad auth attempts.)",
        "(421 4.7.0 Temporary System Problem. Try again later (10). For more information, go to help. abc)",
        "(421 4.7.0 Try again later (10). " + "This is said at length, and cut. " * 9,
    ],
)
def test_a_reply_with_brackets_of_its_own_is_left_out_whole(reply):
    paused = Account("paused", pause_reason=f"Make a new app password. {reply}")
    assert why(pending=3, accounts=[paused]) == ("3 waiting: 1 account is paused (Make a new app password)")


def test_an_account_that_rests_says_until_when():
    paused = Account("paused", pause_reason="Too many log-ins.", goes_on_at=NOON + timedelta(minutes=5))
    assert "1 account is paused (Too many log-ins; goes on today 12:05)" in why(pending=3, accounts=[paused])


def test_accounts_paused_for_the_same_reason_name_it_once():
    paused = Account("paused", pause_reason="Wrong password.")
    assert "2 accounts are paused (Wrong password)" in why(pending=3, accounts=[paused, paused])


def test_each_reason_says_how_many_accounts_it_holds_and_until_when():
    wrong = Account("paused", pause_reason="Wrong password.")
    drops = [
        Account("paused", pause_reason="The server drops.", goes_on_at=NOON + timedelta(minutes=n))
        for n in (9, 5)
    ]
    assert why(pending=3, accounts=[drops[0], wrong, drops[1]]) == (
        "3 waiting: 2 accounts are paused (The server drops; next goes on today 12:05), "
        "1 account is paused (Wrong password)"
    )


def test_a_batch_that_takes_long_is_what_the_others_wait_for():
    assert why(pending=3, accounts=[READY, full()], slow_holds_all=True) == (
        "3 waiting: 1 account has used its 24 h limit, "
        "the batch in hand takes long: its server is slow, or its worker died"
    )


def test_a_long_reason_is_cut():
    assert len(why(pending=1, accounts=[Account("paused", pause_reason="very " * 100)])) < 200


@pytest.mark.parametrize(
    ("accounts", "reason"),
    [([], "there is no account yet: add one"), ([Account("disabled")], "no account is enabled")],
)
def test_without_a_usable_account_it_says_so(accounts, reason):
    assert why(pending=5, accounts=accounts) == f"5 waiting: {reason}"


def test_a_dead_dispatcher_is_named_first_and_promises_nothing():
    assert (
        why(pending=5, alive=False) == "5 waiting: sending is not running: it has to be started on the server"
    )


def test_a_paused_campaign_says_so_and_does_not_blame_accounts():
    campaign = Campaign("paused", pause_reason="Paused by Maria.")
    assert why(pending=70, campaigns=[campaign], accounts=[full()]) == (
        "70 waiting: the campaign is paused (Paused by Maria)"
    )


def test_a_campaign_of_tomorrow_says_when_it_starts():
    campaign = Campaign(scheduled_at=NOON + timedelta(days=1))
    assert why(pending=70, campaigns=[campaign]) == ("70 waiting: the campaign starts tomorrow 12:00")


def test_several_campaigns_are_counted():
    campaigns = [Campaign("paused"), Campaign("paused"), Campaign(scheduled_at=NOON + timedelta(hours=1))]
    assert why(pending=9, campaigns=campaigns) == (
        "9 waiting: 2 campaigns are paused, 1 campaign starts today 13:00"
    )


def test_a_campaign_waits_for_those_queued_before_it():
    assert why(pending=9, earlier=1) == "9 waiting: 1 campaign queued earlier goes first"


def test_mail_that_waits_for_its_retry_says_when():
    assert why(retry=12, retry_at=NOON + timedelta(minutes=10)) == (
        "12 waiting: 12 wait for a retry today 12:10"
    )


def test_a_due_retry_that_no_account_can_take_says_both():
    assert why(retry=1, retry_at=NOON, accounts=[full(NOON + timedelta(hours=1))]) == (
        "1 waiting: 1 account has used its 24 h limit (next frees today 13:00), 1 waits for a retry that "
        "is due"
    )


def test_uncertain_mail_asks_for_a_person():
    assert why(uncertain=2) == "2 uncertain: may have arrived, so a person decides (see Uncertain emails)"


def test_a_batch_whose_worker_is_silent_is_named_with_when_it_is_settled():
    silent = {"pending": 252, "silent": 1, "silent_until": NOON + timedelta(minutes=2)}
    told = "1 batch is silent (if its worker died, it is settled today 12:02)"
    assert why(**silent, silent_holds_all=True) == f"252 waiting: {told}"
    assert why(**silent) == f"252 waiting: {told}, batches of up to 10 go out every 30 s"


OFFICE = Window(time(8), time(18), MONDAY_TO_FRIDAY)
FRIDAY = datetime(2026, 3, 13, 12, 0, tzinfo=UTC)


TOMORROW = Campaign(scheduled_at=FRIDAY + timedelta(days=1))
FREES_AT_19 = full(FRIDAY + timedelta(hours=7))
CLOSED = "with the sending window closed until Mon 16 Mar, 08:00"


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"campaigns": [Campaign(scheduled_at=FRIDAY + timedelta(hours=1))]},
         "the campaign starts today 13:00"),
        ({"campaigns": [TOMORROW]}, f"the campaign starts tomorrow 12:00, {CLOSED}"),
        ({"campaigns": [TOMORROW], "now": FRIDAY + timedelta(hours=9)},
         f"the campaign starts tomorrow 12:00, {CLOSED}"),
        ({"accounts": [FREES_AT_19]},
         f"1 account has used its 24 h limit (next frees today 19:00, {CLOSED})"),
        ({"accounts": [FREES_AT_19], "now": FRIDAY + timedelta(hours=6, minutes=30)},
         "1 account has used its 24 h limit (next frees today 19:00), "
         "sending window opens Mon 16 Mar, 08:00"),
    ],
)  # fmt: skip
def test_a_moment_at_which_the_window_is_closed_says_so(facts, told):
    assert why(**{"now": FRIDAY, "pending": 5, "window": OFFICE, **facts}) == f"5 waiting: {told}"


def test_a_reason_that_is_too_long_is_cut_behind_what_is_wrong():
    paused = Account(
        "paused", pause_reason=f"The password can't be decrypted: no key. Enter it again, {'x' * 99}."
    )
    assert why(pending=1, accounts=[paused]) == (
        "1 waiting: 1 account is paused (The password can't be decrypted: no key)"
    )
