"""What a run is asked for, on the command line."""

import argparse
import random
from dataclasses import dataclass

from config.chaos import dovecot

LEAST_MAILS = 50


@dataclass(frozen=True)
class Options:
    """mails: to queue; kills: of kill -9; minutes: after which no fault is begun any more.
    claims: attempts of 32 claimers on 20 accounts, 0: none. has_standby: PostgreSQL fails over, too."""

    seed: int
    mails: int
    kills: int
    minutes: float
    is_short: bool
    has_dovecot: bool = False
    claims: int = 0
    has_standby: bool = False

    @property
    def lease(self) -> int:
        """Seconds for which a batch belongs to a silent worker."""
        return 3 if self.is_short else 4

    @property
    def command(self) -> str:
        """What repeats the plan: the seed alone does so only with the same mails, kills and minutes."""
        numbers = {
            "seed": self.seed,
            "mails": self.mails,
            "kills": self.kills,
            "minutes": f"{self.minutes:g}",
        }
        if self.claims:
            numbers["claims"] = self.claims
        words = [f"--{name} {value}" for name, value in numbers.items()]
        flags = {"short": self.is_short, "dovecot": self.has_dovecot, "standby": self.has_standby}
        words += [f"--{name}" for name, is_set in flags.items() if is_set]
        return f'make chaos ARGS="{" ".join(words)}"'

    @property
    def intensity(self) -> float:
        """How much more often the oracle misbehaves in a small run, so that it shows each kind."""
        return max(1.0, min(4.0, 1000 / self.mails))


def parse(arguments: list[str] | None = None) -> Options:
    """Options from the command line; without a seed, a new one."""
    parser = argparse.ArgumentParser(
        prog="python -m config.chaos",
        description="Sends mails under seeded faults, then compares the SMTP server's own ledger with ours.",
    )
    parser.add_argument("--seed", type=int, help="repeats the plan of a run that printed it")
    parser.add_argument("--mails", type=int, help="mails to queue (10,000; short: 120)")
    parser.add_argument("--kills", type=int, help="how often kill -9 strikes (one in 50 mails)")
    parser.add_argument("--minutes", type=float, help="begin no fault after so long (60; short: 3)")
    parser.add_argument(
        "--short", action="store_true", help="less than a minute: a handful of each main fault"
    )
    parser.add_argument(
        "--dovecot", action="store_true", help="with real Sent folders, to resolve uncertain mail"
    )
    parser.add_argument(
        "--claims", type=int, nargs="?", const=100_000, default=0, metavar="N",
        help="first, N claims (100,000) of 32 claimers on 20 accounts: not one above a limit",
    )  # fmt: skip
    parser.add_argument(
        "--standby", action="store_true", help="with a synchronous standby, that takes over time and again"
    )
    given = parser.parse_args(arguments)
    mails = given.mails or (120 if given.short else 10_000)
    if mails < LEAST_MAILS:
        parser.error(f"--mails: {LEAST_MAILS} or more, else no fault finds anything to hit")
    if given.dovecot and not dovecot.is_installed():
        parser.error("--dovecot: Dovecot is not installed (Debian: apt-get install dovecot-imapd)")
    return Options(
        seed=random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed,
        mails=mails,
        kills=(6 if given.short else max(5, mails // 50)) if given.kills is None else given.kills,
        minutes=(3 if given.short else 60) if given.minutes is None else given.minutes,
        is_short=given.short,
        has_dovecot=given.dovecot,
        claims=given.claims,
        has_standby=given.standby,
    )
