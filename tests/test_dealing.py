from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sending.dealing import Share
from sending.dealing import deal as deal_shares


def deal(count, capacities):
    return deal_shares(count, {account: Share(n, n) for account, n in capacities.items()})


def test_equal_accounts_take_turns():
    assert deal(7, {1: 100, 2: 100, 3: 100}) == [1, 2, 3, 1, 2, 3, 1]


def test_an_account_gets_its_share_of_what_is_left():
    assert Counter(deal(30, {1: 100, 2: 200})) == {1: 10, 2: 20}


def test_nothing_is_dealt_where_nothing_is_left():
    assert deal(5, {1: 0, 2: 0}) == []
    assert deal(5, {}) == []


@given(
    st.integers(0, 60),
    st.dictionaries(st.integers(1, 9), st.integers(0, 20), max_size=6),
)
def test_all_is_dealt_that_fits_and_no_account_gets_more_than_it_has_left(count, capacities):
    dealt = Counter(deal(count, capacities))
    assert sum(dealt.values()) == min(count, sum(capacities.values()))
    assert all(n <= capacities[account] for account, n in dealt.items())


def test_of_accounts_that_mind_log_ins_one_takes_the_turn_of_all():
    minding = {n: Share(100, 100, minds_log_ins=True) for n in (1, 2, 3)}
    assert deal_shares(5, minding) == [1] * 5
    assert deal_shares(5, {**minding, 2: Share(101, 101, True)}) == [2] * 5
    assert Counter(deal_shares(40, {**minding, 4: Share(100, 100)})) == {1: 30, 4: 10}


def test_the_next_one_that_minds_log_ins_is_used_when_the_first_is_used_up_for_this_batch():
    shares = {1: Share(100, 2, True), 2: Share(50, 2, True), 3: Share(60, 10, True)}
    assert deal_shares(6, shares) == [1, 1, 3, 3, 3, 3]


def test_an_account_that_the_batch_uses_already_goes_before_one_with_more_left():
    shares = {1: Share(100, 10, True), 2: Share(5, 5, True)}
    assert deal_shares(6, shares, in_use={2}) == [2, 2, 2, 2, 2, 1]


@given(
    st.integers(0, 60),
    st.dictionaries(
        st.integers(1, 9),
        st.builds(Share, st.integers(0, 20), st.integers(0, 20), st.booleans()),
        max_size=6,
    ),
)
def test_all_is_dealt_that_has_room_whoever_minds_log_ins(count, shares):
    dealt = Counter(deal_shares(count, shares))
    room = {account: share.room if share.left else 0 for account, share in shares.items()}
    assert sum(dealt.values()) == min(count, sum(room.values()))
    assert all(n <= room[account] for account, n in dealt.items())
