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
