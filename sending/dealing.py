from collections.abc import Mapping


def deal(count: int, capacities: Mapping[int, int]) -> list[int]:
    """Deals mails out to accounts: the account of each of `count` mails, in sending order.

    Accounts take turns, each in proportion to what it has left (the divisor method of D'Hondt), so
    that all of them run out at about the same time. Shorter than count when capacity runs out.
    """
    dealt = dict.fromkeys(capacities, 0)
    order: list[int] = []
    for _ in range(min(count, sum(capacities.values()))):
        account = max(
            (a for a in dealt if dealt[a] < capacities[a]),
            key=lambda a: (capacities[a] / (dealt[a] + 1), -a),
        )
        dealt[account] += 1
        order.append(account)
    return order
