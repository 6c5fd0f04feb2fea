"""The judge of `make chaos` can fail: each broken promise is seen in a doctored log."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from config.chaos.facts import Entry, Facts, Mail
from config.chaos.judge import judge
from config.chaos.oracle_log import Acceptance, Misdeed, OracleLog, read

NOON = 1_800_000_000.0


def mail(number, status="sent", batch=1):
    return Mail(
        number, "c1", f"person{number}@example.com", status, batch, f"<{number}@sender.example>", "a1"
    )


def acceptance(number, at=NOON):
    return Acceptance(at + number, "a1", f"<{number}@sender.example>", f"Person{number}@example.com", "c1")


def withheld(number):
    return Misdeed(NOON, "drop", "a1", f"person{number}@example.com", f"<{number}@sender.example>", True)


def limits(daily, **more):
    return {"a1": {"daily_limit": daily, **more}}


@pytest.fixture
def kept():
    """Two mails sent, one failed, one uncertain that arrived, one uncertain that did not."""
    mails = [mail(1), mail(2), mail(3, "failed"), mail(4, "uncertain", 2), mail(5, "uncertain", 3)]
    outcomes = {1: "sent", 2: "sent", 3: "failed", 4: "uncertain"}
    return Facts(
        queued=5,
        mails=mails,
        ledger=[Entry(m.id, m.batch, "a1", "dot", outcomes[m.id]) for m in mails if m.id in outcomes],
        accepted=[acceptance(1), acceptance(2), acceptance(4)],
        misdeeds=[withheld(4)],
        limits=limits(3),
        room={"c1": 0},
    )


def doctored(facts, number, **changes):
    return replace(facts, mails=[replace(m, **changes) if m.id == number else m for m in facts.mails])


def test_where_all_agree_no_promise_is_broken(kept):
    verdict = judge(kept)
    assert verdict.broken == []
    assert verdict.uncertain == [4, 5]
    assert verdict.of_a_dead_worker == [5]


def test_a_mail_that_counts_as_sent_and_was_not_accepted_is_lost(kept):
    verdict = judge(replace(kept, accepted=kept.accepted[1:]))
    assert verdict.broken == ["1 lost: 1", "1 wrongly resolved: 1"]


def test_a_mail_that_waits_for_nothing_is_lost_and_one_that_waits_for_its_window_is_not(kept):
    waiting = doctored(kept, 3, status="pending")
    assert judge(waiting).broken == []
    assert judge(replace(waiting, room={"c1": 1})).broken == ["1 lost: 3"]


def test_a_mail_that_is_still_being_sent_when_all_is_over_is_lost(kept):
    assert judge(doctored(kept, 3, status="sending")).broken == ["1 lost: 3"]


def test_a_mail_of_a_campaign_that_stayed_paused_is_lost(kept):
    assert judge(replace(doctored(kept, 3, status="pending"), room={})).broken == ["1 lost: 3"]


def test_a_mail_that_failed_with_tries_left_or_was_cancelled_is_lost(kept):
    others = [entry for entry in kept.ledger if entry.mail != 3]
    tries = [Entry(3, batch, "a1", "rcpt", "retry") for batch in (11, 12, 13, 14)]
    assert judge(replace(kept, ledger=[*others, *tries])).broken == []
    returned = Entry(3, 15, "a1", "auth", "returned")
    assert judge(replace(kept, ledger=[*others, *tries[1:], returned])).broken == ["1 lost: 3"]
    assert judge(doctored(kept, 3, status="cancelled")).broken == ["1 lost: 3"]


def test_a_row_that_left_the_queue_is_lost(kept):
    assert judge(replace(kept, queued=6)).lost == [-1]


def test_a_mail_that_was_accepted_twice_is_a_duplicate_though_its_message_id_was_new(kept):
    many = limits(9)
    again = replace(kept, accepted=[*kept.accepted, acceptance(1, NOON + 60)], limits=many)
    assert judge(again).broken == ["1 accepted more than once: 1"]
    other = replace(acceptance(1), message_id="<new@sender.example>")
    assert judge(replace(kept, accepted=[*kept.accepted, other], limits=many)).broken == [
        "1 accepted more than once: 1",
        "1 accepted under a Message-ID that no mail has: <new@sender.example>",
    ]


def test_one_mail_more_than_the_limit_in_any_24_hours_is_over_it(kept):
    assert judge(replace(kept, limits=limits(2))).broken == [
        "1 windows over a limit: a1: 3 in the 24 h before 2027-01-15 08:00:04+00:00, its limit is 2"
    ]
    yesterday = [acceptance(99, NOON - 86_400 - 98)]
    yesterday = [replace(yesterday[0], campaign="history")]
    assert judge(replace(kept, accepted=yesterday + kept.accepted)).broken == []
    yesterday = [replace(kept.accepted[0], at=NOON - 86_400 + 5, campaign="history")]
    assert len(judge(replace(kept, accepted=yesterday + kept.accepted)).over_limit) == 1


def test_the_limits_of_a_minute_and_of_a_calendar_day_are_looked_at_too(kept):
    assert len(judge(replace(kept, limits=limits(9, minute_limit=2))).over_limit) == 1
    day = {"limit_window": "calendar", "time_zone": "UTC"}
    assert judge(replace(kept, limits=limits(3, **day))).over_limit == []
    assert len(judge(replace(kept, limits=limits(2, **day))).over_limit) == 1


@pytest.mark.parametrize("status", ["failed", "pending", "retry", "cancelled"])
def test_an_accepted_mail_that_is_said_not_to_be_is_hidden_and_wrongly_resolved(kept, status):
    verdict = judge(doctored(kept, 4, status=status))
    assert (verdict.hidden, verdict.wrongly_resolved) == ([4], [4])
    assert len(verdict.broken) == 2 + bool(verdict.lost)
    assert judge(doctored(replace(kept, misdeeds=[]), 4, status=status)).hidden == [4]


def test_a_withheld_answer_must_make_uncertain_whether_accepted_or_not(kept):
    assert judge(replace(kept, misdeeds=[withheld(3)])).broken == ["1 ambiguous, but not uncertain: 3"]


def test_an_uncertain_mail_whose_answer_is_in_the_ledger_has_no_reason(kept):
    known = [*kept.ledger, Entry(5, 3, "a1", "rcpt", "failed")]
    verdict = judge(replace(kept, ledger=known))
    assert verdict.unfounded == [5]
    assert verdict.broken == ["1 uncertain, though the ledger knows the answer: 5"]


def test_two_undecided_mails_in_one_batch_are_one_too_many(kept):
    both = doctored(doctored(kept, 5, batch=7), 3, batch=7, status="uncertain")
    both = replace(both, ledger=[entry for entry in both.ledger if entry.mail != 3])
    assert judge(both).broken == ["2 undecided mails in one batch: one is the most"]


def test_undecided_mails_of_one_batch_are_counted_when_they_are_resolved_too(kept):
    resolved = [Entry(mail, 7, "a1", "resolution", "sent") for mail in (1, 2)]
    others = [entry for entry in kept.ledger if entry.mail not in (1, 2)]
    assert judge(replace(kept, ledger=[*others, *resolved])).broken == [
        "2 undecided mails in one batch: one is the most"
    ]


def test_a_recovery_that_takes_longer_than_a_minute_is_told(kept):
    assert judge(replace(kept, recoveries=[0.1, 61])).broken == [
        "a batch was settled 61 s after its lease's end"
    ]


def test_a_mail_that_crashes_its_server_and_counts_as_sent_is_told(kept):
    poisonous = doctored(kept, 1, email="crash1@example.com")
    accepted = [replace(kept.accepted[0], rcpt="crash1@example.com"), *kept.accepted[1:]]
    assert judge(replace(poisonous, accepted=accepted)).broken == ["1 sent, though poisonous: 1"]
    doubtful = doctored(kept, 4, email="crash4@example.com")
    accepted = [*kept.accepted[:2], replace(kept.accepted[2], rcpt="crash4@example.com")]
    assert judge(replace(doubtful, accepted=accepted)).poisonous_sent == [4]


@pytest.mark.parametrize("rule", ["hold", "resend"])
def test_with_a_sent_folder_a_mail_may_be_resolved_if_it_was_uncertain_first(kept, rule):
    found = replace(doctored(kept, 4, status="sent"), rules={"a1": rule})
    assert judge(found).hidden == []
    assert judge(found).doubts[rule].found == [4]
    assert judge(replace(found, rules={})).hidden == [4]
    silent = [entry for entry in found.ledger if entry.mail != 4]
    assert judge(replace(found, ledger=silent)).hidden == [4]


def doubtful(facts, rule, *mails, accepted=()):
    """These mails besides, each uncertain once in batch 9; the accepted ones."""
    doubts = [Entry(m.id, 9, "a1", "dot", "uncertain") for m in mails]
    return replace(
        facts,
        queued=facts.queued + len(mails),
        mails=[*facts.mails, *mails],
        ledger=[*facts.ledger, *doubts],
        accepted=[*facts.accepted, *(acceptance(number) for number in accepted)],
        limits=limits(99),
        rules={"a1": rule},
    )


def test_under_the_rule_hold_what_was_never_accepted_waits_for_a_person(kept):
    held = doubtful(kept, "hold", *(mail(n, "uncertain", 9) for n in range(10, 20)))
    verdict = judge(doctored(held, 4, status="sent"))
    assert verdict.broken == []
    assert verdict.doubts["hold"].found == [4]
    assert verdict.doubts["hold"].held == [5, *range(10, 20)]


def test_under_the_rule_resend_nothing_may_be_left_to_a_person(kept):
    left = doubtful(kept, "resend", mail(10, "uncertain", 9), mail(11, "uncertain", 9))
    verdict = judge(doctored(left, 4, status="sent"))
    assert verdict.doubts["resend"].held == [5, 10, 11]
    assert verdict.broken == ["3 left to a person (25.0% settled), under the rule resend: 5, 10, 11"]


@pytest.mark.parametrize("rule", ["hold", "resend"])
def test_under_both_rules_what_was_accepted_must_be_found(kept, rule):
    accepted = (10, 11)
    left = doubtful(kept, rule, *(mail(n, "uncertain", 9) for n in accepted), accepted=accepted)
    verdict = judge(doctored(doctored(left, 4, status="sent"), 5, status="pending"))
    assert verdict.doubts[rule].missed == [10, 11]
    assert verdict.broken == [f"2 left to a person (33.3% settled), under the rule {rule}: 10, 11"]


def test_a_mail_that_was_sent_again_and_accepted_then_is_no_duplicate_and_one_accepted_before_is(kept):
    again = doubtful(kept, "resend", mail(10, "sent", 12), accepted=[10])
    again = replace(again, ledger=[*again.ledger, Entry(10, 12, "a1", "dot", "sent")])
    again = doctored(again, 4, status="sent")
    verdict = judge(again)
    assert verdict.doubts["resend"].sent_again == [10]
    assert verdict.broken == []
    twice = judge(replace(again, accepted=[*again.accepted, acceptance(10, NOON + 60)]))
    assert twice.doubts["resend"].duplicated == [10]
    assert twice.broken == [
        "1 accepted more than once: 10",
        "1 accepted twice after a doubt, under the rule resend: 10",
    ]


def test_a_mail_whose_worker_died_and_that_was_sent_again_counts_among_those_sent_again(kept):
    died = doubtful(kept, "resend", mail(10, "failed", 12))
    died = replace(
        died,
        ledger=[
            *kept.ledger,
            Entry(10, 9, "a1", "resolution", "uncertain"),
            Entry(10, 12, "a1", "rcpt", "failed"),
        ],
    )
    assert judge(died).doubts["resend"].sent_again == [10]


def test_a_mail_that_was_in_doubt_twice_counts_by_what_followed_each_doubt(kept):
    twice = doubtful(kept, "resend", mail(10, "sent", 12), accepted=[10])
    twice = replace(twice, ledger=[*twice.ledger, Entry(10, 12, "a2", "resolution", "sent")])
    twice = replace(twice, rules={"a1": "resend", "a2": "hold"})
    doubts = judge(twice).doubts
    assert (doubts["resend"].sent_again, doubts["hold"].found) == ([10], [10])
    assert doubts["hold"].sent_again == []


def test_the_log_gives_back_what_was_written(tmp_path):
    log = OracleLog(tmp_path / "log")
    log.accepted("a1", "<1@x>", "one@example.com", "c1", at=NOON)
    log.did("drop", "a1", "two@example.com", "<2@x>", is_ambiguous=True)
    accepted, misdeeds = read(tmp_path / "log")
    assert accepted == [Acceptance(NOON, "a1", "<1@x>", "one@example.com", "c1")]
    assert [(m.kind, m.message_id, m.is_ambiguous) for m in misdeeds] == [("drop", "<2@x>", True)]


def test_a_mail_that_ended_as_suppressed_without_a_suppression_is_lost(kept):
    ended = doctored(kept, 5, status="suppressed")
    assert judge(ended).broken == ["1 lost: 5"]
    assert judge(replace(ended, suppressed=["Person5@example.com"])).broken == []


def test_a_mail_that_failed_without_an_attempt_is_lost(kept):
    assert judge(doctored(kept, 5, status="failed")).broken == ["1 lost: 5"]


def test_one_message_id_that_was_accepted_for_two_addresses_is_a_duplicate(kept):
    other = replace(kept.accepted[0], rcpt="stranger@example.com")
    verdict = judge(replace(kept, accepted=[*kept.accepted, other], limits=limits(9)))
    assert verdict.broken == ["1 accepted more than once: 1"]


def test_the_limits_of_each_account_are_looked_at(kept):
    moved = [*kept.accepted[:2], replace(kept.accepted[2], login="a2")]
    both = replace(kept, accepted=moved, limits={**limits(1), "a2": {"daily_limit": 1}})
    assert [window.partition(":")[0] for window in judge(both).over_limit] == ["a1"]


def test_a_warm_up_is_a_limit_too(kept):
    def warming(since):
        return limits(9, warm_up_start=2, warm_up_step=1, warm_up_since=since)

    began = datetime.fromtimestamp(NOON, UTC)
    assert len(judge(replace(kept, limits=warming(began))).over_limit) == 1
    assert judge(replace(kept, limits=warming(began - timedelta(days=1)))).over_limit == []


def test_a_ledger_that_says_sent_of_what_was_not_accepted_is_wrong_whatever_the_queue_says(kept):
    said = [*kept.ledger, Entry(5, 3, "a1", "resolution", "sent")]
    assert judge(replace(kept, ledger=said)).wrongly_resolved == [5]
    assert judge(doctored(kept, 5, status="sent")).wrongly_resolved == [5]


def test_an_account_that_the_ledger_names_is_the_one_that_the_server_knows(kept):
    others = [replace(entry, login="a2") if entry.mail == 1 else entry for entry in kept.ledger]
    (sentence,) = judge(replace(kept, ledger=others)).broken
    assert sentence == "1 in the ledger once too often, or of another account than accepted it: 1"


def test_a_mail_has_one_row_in_the_ledger_that_says_sent(kept):
    (sentence,) = judge(replace(kept, ledger=[*kept.ledger, kept.ledger[0]])).broken
    assert sentence.startswith("1 in the ledger once too often")


def test_more_rows_than_were_queued_are_told(kept):
    assert judge(replace(kept, queued=4)).broken == ["1 accepted more than once: -1"]
