"""Many claimers at once on few accounts: does any account ever go over one of its limits?

The dispatcher's lock lets one claimer in at a time. It is out of the way here: what keeps the limits
is the lock on the account rows and sending.capacity alone. Time runs fast, so that the windows really
roll: each attempt moves a clock of its own on, by which mails are claimed and handed over.
"""

import itertools
import random
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from django.db import connection, transaction
from django.db.models.functions import Now

from accounts.limits import Window
from accounts.models import SmtpAccount
from campaigns.models import Campaign
from config.chaos.windows import broken_windows
from sending import settle
from sending.dispatch import POLL, claim, dispatch, lock_accounts
from sending.models import Batch, Pacing, QueuedEmail, SendLog

SPAN = timedelta(days=4)  # that the clock covers during a run
ZONES = ("Europe/Berlin", "Pacific/Auckland", "America/New_York")
QUEUE = """
INSERT INTO sending_queuedemail (campaign_id, email, status)
SELECT %s, 'claimed' || n || '@example.com', 'pending' FROM generate_series(1, %s) n
"""


@dataclass
class Figures:
    """What a run did. over_limit: windows of the ledger above a limit, in words; errors: of claimers."""

    claimers: int
    attempts: int
    accounts: int
    seed: int
    claimed: int = 0
    handed_over: int = 0
    uncertain: int = 0
    over_limit: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        figures = {
            name: value if isinstance(value, int) else len(value)
            for name, value in asdict(self).items()
            if name != "seed"
        }
        return ", ".join(f"{name.replace('_', ' ')}: {value:,}" for name, value in figures.items())


def run(claimers: int, attempts: int, accounts: int, seed: int, *, through_dispatch: bool = False) -> Figures:
    """Makes accounts with random limits and a queue, lets the claimers loose, and checks the ledger.

    Writes to the database that it runs on, and leaves everything there. attempts: claims in all;
    through_dispatch: with the dispatcher's lock and pace, by Postgres' clock. A run that is repeated
    with its seed gets the same accounts and the same dice; how its threads meet is up to the machine.
    """
    load = _Load(Figures(claimers, attempts, accounts, seed), through_dispatch)
    load.prepare()
    load.hammer()
    load.check()
    return load.figures


class _Load:
    def __init__(self, figures: Figures, through_dispatch: bool):
        self.figures = figures
        self.through_dispatch = through_dispatch
        self.starts = datetime.now(UTC) - SPAN
        self.step = SPAN / figures.attempts
        self.turns = itertools.count()
        self.turn = 0
        self.lock = threading.Lock()

    def prepare(self) -> None:
        chance = random.Random(self.figures.seed)  # noqa: S311
        for number in range(self.figures.accounts):
            SmtpAccount.objects.create(**self._account(chance, number))
        pace = {"batch_interval": 0.001, "delay": 0, "batch_size": 10, "scope": Pacing.Scope.ALL}
        Pacing.objects.update_or_create(pk=1, defaults=pace)
        campaign = Campaign.objects.create(name="Claims", subject="", status="sending", queued_at=Now())
        with connection.cursor() as cursor:
            cursor.execute(QUEUE, [campaign.pk, self.figures.attempts * 2 + 1000])

    def _account(self, chance: random.Random, number: int) -> dict[str, object]:
        """Tight limits, so that most attempts find an account at one of them."""
        limits: dict[str, object] = {"daily_limit": chance.randint(5, 60)}
        if number % 2:
            limits |= {"limit_window": Window.CALENDAR, "time_zone": chance.choice(ZONES)}
        if number % 3 == 0:
            limits["hourly_limit"] = chance.randint(2, 8)
        if number % 4 == 0:
            limits["minute_limit"] = chance.randint(1, 3)
        if number % 5 == 0:
            limits |= {"warm_up_start": 2, "warm_up_step": 7, "warm_up_since": self.starts}
        email = f"claims{number}@sender.example"
        return {"name": email, "email": email, "host": "127.0.0.1", "security": "none", **limits}

    def hammer(self) -> None:
        claimers = [
            threading.Thread(target=self._claim_on, args=(self.figures.seed + number,))
            for number in range(self.figures.claimers)
        ]
        for claimer in claimers:
            claimer.start()
        for claimer in claimers:
            claimer.join()

    def _claim_on(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        attempt: Callable[[random.Random], None] = self._dispatch if self.through_dispatch else self._claim
        try:
            while (turn := next(self.turns)) < self.figures.attempts:
                self.turn = max(self.turn, turn)
                attempt(chance)
        except Exception as error:
            self.figures.errors.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def _now(self) -> datetime:
        return self.starts + self.turn * self.step

    def _claim(self, chance: random.Random) -> None:
        moment = self._now()
        with transaction.atomic():
            accounts = lock_accounts()
            batches = claim(Pacing.load(), accounts, set(accounts), moment)
        for batch in batches:
            self._hand_over(batch, chance)

    def _dispatch(self, chance: random.Random) -> None:
        while (done := dispatch()).next_in == POLL and not done.batches:
            time.sleep(0.01)  # another one is at it, or its batch is at work
        if done.batches:
            self._hand_over(Batch.objects.filter(started=None).latest("id"), chance)

    def _hand_over(self, batch: Batch, chance: random.Random) -> None:
        """What a worker does, without SMTP; some die on their way, and their batch is recovered."""
        token = uuid4()
        Batch.objects.filter(pk=batch.pk).update(started=Now(), token=token)
        mails = list(QueuedEmail.objects.filter(batch=batch, status="sending").order_by("position"))
        dies_at = chance.randrange(len(mails)) if chance.random() < 0.02 else len(mails)
        outcomes = chance.choices(("sent", "uncertain", "returned"), (90, 2, 8), k=dies_at)
        for mail, outcome in zip(mails, outcomes, strict=False):
            SendLog.objects.create(
                queued_email=mail, batch=batch, account_id=mail.account_id, phase="dot", duration=0,
                outcome=outcome, **({} if self.through_dispatch else {"at": self._now()}),
            )  # fmt: skip
        if dies_at < len(mails):
            Batch.objects.filter(pk=batch.pk).update(lease=Now() - timedelta(seconds=1))
            settle.recover()
        else:
            settle.settle(batch.pk, token)
        with self.lock:
            self.figures.claimed += len(mails)

    def check(self) -> None:
        """Every account against every window of the ledger; uncertain mail without a row aside."""
        counted = SendLog.objects.filter(outcome__in=("sent", "uncertain"))
        self.figures.handed_over = counted.count()
        self.figures.uncertain = QueuedEmail.objects.filter(status="uncertain").count()
        for account in SmtpAccount.objects.all():
            moments = list(counted.filter(account=account).values_list("at", flat=True))
            self.figures.over_limit += broken_windows(account, moments)
