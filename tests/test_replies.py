import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.phases import Phase
from sending.replies import RULES, Pause, Scope, judge


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.example)
def test_each_rule_is_reached_by_the_reply_it_was_written_for(rule):
    code, _, text = rule.example.partition(" ")
    enhanced, _, rest = text.partition(" ")
    if enhanced.count(".") != 2:
        enhanced, rest = "", text
    phase = Phase.DOT if Phase.DOT in rule.phases else rule.phases[0]
    assert judge(phase, int(code), enhanced, rest) is rule.verdict


@pytest.mark.parametrize(
    ("phase", "code", "enhanced", "text", "scope", "outcome", "pause"),
    [
        ("rcpt", 550, "5.1.1", "No such user", Scope.RECIPIENT, "failed", None),
        ("rcpt", 450, "4.2.1", "Receiving mail too quickly", Scope.RECIPIENT, "retry", None),
        ("rcpt", 452, "4.2.2", "Over quota", Scope.RECIPIENT, "retry", None),
        ("dot", 550, "5.4.5", "Daily user sending limit exceeded", Scope.ACCOUNT, "returned", Pause.WINDOW),
        ("auth", 454, "4.7.0", "Too many login attempts", Scope.ACCOUNT, "returned", Pause.SHORTLY),
        ("connect", 421, "4.7.0", "Try again later", Scope.ACCOUNT, "returned", Pause.SHORTLY),
        ("rcpt", 421, "4.7.0", "Try again later", Scope.ACCOUNT, "retry", Pause.SHORTLY),
        ("rcpt", 550, "", "User unknown: relay1@example.com", Scope.RECIPIENT, "failed", None),
        ("mail", 432, "4.3.2", "Concurrent connections", Scope.ACCOUNT, "returned", Pause.SHORTLY),
        ("auth", 535, "5.7.8", "Bad credentials", Scope.ACCOUNT, "returned", Pause.MENDED),
        ("auth", 534, "5.7.9", "Application-specific", Scope.ACCOUNT, "returned", Pause.MENDED),
        ("dot", 552, "5.3.4", "Too big", Scope.CONTENT, "failed", None),
        ("dot", 550, "5.7.1", "Spam", Scope.CONTENT, "failed", None),
        ("rcpt", None, "", "Connection lost", Scope.CONNECTION, "retry", None),
        ("connect", None, "", "Name not known", Scope.ACCOUNT, "returned", Pause.SHORTLY),
        ("dot", 354, "", "What?", Scope.UNKNOWN, "uncertain", None),
    ],
)
def test_a_reply_means_what_the_architecture_says(phase, code, enhanced, text, scope, outcome, pause):
    verdict = judge(phase, code, enhanced, text)
    assert (verdict.scope, verdict.outcome, verdict.pause) == (scope, outcome, pause)


@given(
    st.sampled_from(Phase.values), st.none() | st.integers(0, 999), st.text(max_size=12), st.text(max_size=80)
)
def test_no_failure_is_ever_taken_for_sent(phase, code, enhanced, text):
    assert judge(phase, code, enhanced, text).outcome != "sent"
    assert judge(phase, None, enhanced, text, after_dot=True).outcome == "uncertain"
