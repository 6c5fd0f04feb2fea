"""What is known about mail that waits: what sending.status reads, and sending.waiting says in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sending.window import ALWAYS, Window


@dataclass(frozen=True)
class Account:
    """An account that the waiting mail may use. state: ready, full, spaced, paused or disabled.

    held_by: the limit that holds it, as sending.capacity names it. goes_on_at: when a paused one sends
    again by itself. takes_pending: whether any of the pending mail that may go out may use it.
    """

    state: str
    frees_at: datetime | None = None
    goes_on_at: datetime | None = None
    pause_reason: str = ""
    held_by: str = ""
    takes_pending: bool = True


@dataclass(frozen=True)
class Campaign:
    """A campaign whose mail waits. status: sending, paused or cancelled. has_account: one that is enabled."""

    status: str = "sending"
    scheduled_at: datetime | None = None
    pause_reason: str = ""
    has_account: bool = True

    def may_send(self, now: datetime) -> bool:
        """Whether neither a person nor the calendar holds it back."""
        return self.status == "sending" and (self.scheduled_at is None or self.scheduled_at <= now)


@dataclass(frozen=True)
class Facts:
    """What is known about mail that waits. `now` carries the time zone in which times are told.

    failing: sending runs, and its last look at the queue failed; it is not alive then.
    """

    now: datetime
    alive: bool
    failing: bool = False
    stuck: bool = False
    pending: int = 0
    sending: int = 0
    retry: int = 0
    uncertain: int = 0
    # Of the uncertain ones, those that nobody has to see to; and when that is for the first of them.
    looked_for: int = 0
    look_at: datetime | None = None
    resent: int = 0
    resend_at: datetime | None = None
    retry_at: datetime | None = None
    accounts: Sequence[Account] = ()
    campaigns: Sequence[Campaign] = ()
    earlier: int = 0
    batch_size: int = 10
    batch_interval: float = 30
    window: Window = ALWAYS
    # Batches whose workers were not heard of for a while; when the last of their leases ends.
    silent: int = 0
    silent_until: datetime | None = None
    silent_holds_all: bool = False  # nothing else goes out until then
    slow_holds_all: bool = False  # nor while a batch takes long over a mail

    @property
    def window_opens_at(self) -> datetime | None:
        """None: it is open."""
        return self.window.opens_at(self.now)
