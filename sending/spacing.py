"""The spacing of each account: the least time between two of its mails."""

import math
import random
import time
from collections.abc import Iterable

from django.conf import settings

from accounts.models import SmtpAccount
from sending import capacity


def most_in_a_batch(account: SmtpAccount, wait: float, interval: float) -> int | None:
    """How many mails of the account fit between two batches; None: its spacing sets no bound.

    wait: seconds until it may hand over its next mail; interval: from batch to batch. So a batch that is
    mixed with a slow account ends in time for the next one, and far within its budget. An account that
    has to wait for less than an interval is not left out, or it would miss every other batch.
    """
    if not account.spacing:
        return None
    room = min(interval, settings.BATCH_BUDGET / 2)
    return max(0, math.ceil((room - wait) / (account.spacing + account.spacing_jitter)))


class Spacing:
    """Spaces one batch's mails, by this process' monotonic clock.

    What came before is asked of the ledger once, by Postgres' clock, in seconds from now.
    """

    def __init__(self, accounts: Iterable[SmtpAccount]):
        self.accounts = {account.pk: account for account in accounts if account.spacing}
        self.next_at: dict[int, float] = {}
        if self.accounts:
            looked = capacity.look(self.accounts)
            asked = time.monotonic()  # afterwards: what the answer takes must not shorten the wait
            for pk, known in looked.items():
                self.next_at[pk] = asked + known.spaced_for + _jitter(self.accounts[pk])

    @property
    def longest(self) -> float:
        """Most seconds that a mail of the batch may have to wait for; a longer wait ends the batch."""
        gaps = (account.spacing + account.spacing_jitter for account in self.accounts.values())
        return min(max(gaps, default=0), settings.BATCH_BUDGET / 2)

    def wait(self, account: int | None) -> float:
        """Seconds until this account (id) may hand over its next mail."""
        next_at = self.next_at.get(account) if account else None
        return max(0.0, next_at - time.monotonic()) if next_at else 0.0

    def note(self, account: int | None) -> None:
        """The account has just tried to hand a mail over."""
        if account and (spaced := self.accounts.get(account)):
            self.next_at[account] = time.monotonic() + spaced.spacing + _jitter(spaced)


def _jitter(account: SmtpAccount) -> float:
    return random.uniform(0, account.spacing_jitter)  # noqa: S311
