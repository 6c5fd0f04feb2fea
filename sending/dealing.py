"""Which account sends which mail of a batch. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Share:
    """What an account can take. left: mails that its limits leave; room: those that fit into this batch."""

    left: int
    room: int
    minds_log_ins: bool = False

    def less_one(self) -> "Share":
        """The share once the account was dealt one mail more."""
        return replace(self, left=self.left - 1, room=self.room - 1)


def deal(count: int, shares: Mapping[int, Share], in_use: Collection[int] = ()) -> list[int]:
    """Deals mails out to accounts: the account of each of `count` mails, in sending order.

    Accounts take turns, each in proportion to what it has left (the divisor method of D'Hondt), so
    that all of them run out at about the same time. Those that mind log-ins take one common turn, in
    proportion to what they have left together, and one of them takes it for the whole batch: one that
    the batch uses already (in_use), else the one with most left; the next only when its room is used
    up. Over batches they take turns by themselves, since who has sent has less left. Shorter than
    count when room runs out.
    """
    room = {account: share.room for account, share in shares.items() if share.room > 0 and share.left > 0}
    used = set(in_use)
    dealt: dict[frozenset[int], int] = dict.fromkeys(_groups(shares, room), 0)
    order: list[int] = []
    while len(order) < count and (open_ones := [g for g in dealt if any(room.get(a) for a in g)]):
        group = max(open_ones, key=lambda g: (_left(shares, g) / (dealt[g] + 1), -min(g)))
        candidates = [account for account in group if room.get(account)]
        account = max(candidates, key=lambda a: (a in used, shares[a].left, -a))
        used.add(account)
        room[account] -= 1
        dealt[group] += 1
        order.append(account)
    return order


def _groups(shares: Mapping[int, Share], accounts: Collection[int]) -> list[frozenset[int]]:
    """Accounts that take turns: those that mind log-ins together, the others each."""
    minding = frozenset(account for account in accounts if shares[account].minds_log_ins)
    others = [frozenset([account]) for account in accounts if account not in minding]
    return [*others, minding] if minding else others


def _left(shares: Mapping[int, Share], group: frozenset[int]) -> int:
    return sum(shares[account].left for account in group)
