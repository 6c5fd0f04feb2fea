"""Has an account sent lately? Its provider counts by mailbox, our ledger by account: while mails of the last
days count, the two must not part. The rooms above are asked by a signal, as in accounts.removal."""

from typing import Any

from django.dispatch import Signal

# Sent with account; a receiver answers whether any mail of it may still count in a window of its limits.
asked = Signal()


def has_sent_lately(account: Any) -> bool:
    """Whether mail of the account may still count in one of its windows."""
    return any(answer for _receiver, answer in asked.send(sender=type(account), account=account))
