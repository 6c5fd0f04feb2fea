"""What the oracle does wrong, and how often: a plan that a seed repeats.

Whether it misbehaves depends on the seed, the phase, the mail (or the connection) and how often it
came before, never on what happened elsewhere: so the same seed does the same to the same mail,
in whatever order the mails come. Only a mail whose worker is about to be killed is whichever comes next.
"""

import random
from collections import Counter
from dataclasses import dataclass

from config.demo.smtp_server import Action

BAD_CERTIFICATE = "certificate of a stranger"
# An address that crashes its server whenever a message for it comes: it must fail alone.
CRASHING = "crash"
# One whose letter can't be rendered: it must fail alone, too.
UNRENDERABLE = "unrenderable"


@dataclass(frozen=True)
class Rule:
    """One kind of misbehaviour in a phase of the conversation; share: of the mails, or connections."""

    phase: str
    share: float
    answer: str | Action
    kind: str

    @property
    def is_ambiguous(self) -> bool:
        """Whether the client is left without an answer after its final dot."""
        return self.phase == "dot" and isinstance(self.answer, Action) and self.answer is not Action.SLOW


RULES = (
    Rule("connect", 0.010, "421 4.3.2 Try again later", "421 at connect"),
    Rule("connect", 0.010, Action.DROP, "drop at connect"),
    Rule("connect", 0.003, Action.STALL, "stall at connect"),
    Rule("connect", 0.010, Action.SLOW, "slow greeting"),
    Rule("certificate", 0.03, "", BAD_CERTIFICATE),
    Rule("auth", 0.010, "454 4.7.0 Temporary authentication failure", "454 at log-in"),
    Rule("auth", 0.010, "535 5.7.8 Username and Password not accepted", "535 at log-in"),
    Rule("auth", 0.005, Action.DROP, "drop at log-in"),
    Rule("mail", 0.002, "451 4.3.0 Temporary server error", "451 at MAIL"),
    Rule("mail", 0.002, Action.DROP, "drop at MAIL"),
    Rule("rcpt", 0.010, "450 4.2.1 The mailbox is busy", "450 at RCPT"),
    Rule("rcpt", 0.006, "550 5.1.1 No such user here", "550 5.1.1 at RCPT"),
    Rule("rcpt", 0.002, "552 5.2.2 Mailbox full", "552 5.2.2 at RCPT"),
    Rule("rcpt", 0.002, "550 5.7.1 Policy", "550 5.7.1 at RCPT"),
    Rule("rcpt", 0.003, Action.DROP, "drop at RCPT"),
    Rule("rcpt", 0.003, Action.SLOW, "slow at RCPT"),
    Rule("data", 0.002, "452 4.3.1 Insufficient system storage", "452 at DATA"),
    Rule("data", 0.003, Action.DROP, "drop at DATA"),
    Rule("data", 0.005, Action.CUT, "drop before the dot"),
    Rule("dot", 0.006, Action.KEEP_AND_DROP, "accept, then drop before 250"),
    Rule("dot", 0.004, Action.DROP, "drop after the dot"),
    Rule("dot", 0.002, Action.KEEP_AND_STALL, "accept, then stall"),
    Rule("dot", 0.001, Action.STALL, "stall after the dot"),
    Rule("dot", 0.003, Action.SLOW, "slow after the dot"),
    Rule("dot", 0.003, "451 4.3.0 Temporary server error", "451 after the dot"),
    Rule("dot", 0.002, "554 5.7.1 Message rejected as spam", "554 5.7.1 after the dot"),
)
CRASH = Rule("data", 1, Action.CUT, "crash on an address")
# On demand: the driver kills who sent it, so that its mail is accepted and nobody is left to know.
ACCEPTED_UNTOLD = Rule("dot", 1, Action.KEEP_AND_STALL, "accept, then stall until its worker is killed")


class Plan:
    """Chooses a rule, or none. intensity: a factor on all shares, so that a short run sees each kind."""

    def __init__(self, seed: int, intensity: float = 1.0):
        self.seed, self.intensity = seed, intensity
        self.is_calm = False
        self.is_kill_coming = False  # then the next message is accepted, and nobody told
        self._seen: Counter[tuple[str, str]] = Counter()

    def choose(self, phase: str, about: str) -> Rule | None:
        """What to do wrong in this phase; about: whose turn it is (recipient, log-in, "")."""
        if phase == "data" and about.startswith(CRASHING):
            return CRASH
        if phase == "dot" and self.is_kill_coming and not self.is_calm:
            self.is_kill_coming = False
            return ACCEPTED_UNTOLD
        if self.is_calm:
            return None
        self._seen[phase, about] += 1
        number = self._seen[phase, about]
        draw = random.Random(f"{self.seed} {phase} {about} {number}").random() / self.intensity  # noqa: S311
        for rule in RULES:
            if rule.phase == phase:
                if draw < rule.share:
                    return rule
                draw -= rule.share
        return None
