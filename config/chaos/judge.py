"""Were the promises kept? Compares the oracle's log, the ledger and the queue. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from config.chaos.facts import Facts, Mail
from config.chaos.misbehaviour import CRASHING, UNRENDERABLE

WINDOW = 24 * 3600.0  # seconds
FINAL = {"sent", "failed", "cancelled", "suppressed"}
RECOVER_WITHIN = 60.0  # seconds after the lease's end


@dataclass
class Verdict:
    """What the judge found: ids of mails by kind, and figures. broken: promises that were, in sentences."""

    lost: list[int] = field(default_factory=list)
    duplicated: list[int] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)  # Message-IDs that no row of the queue has
    over_limit: dict[str, int] = field(default_factory=dict)  # log-in: mails above its limit
    uncertain: list[int] = field(default_factory=list)
    of_a_dead_worker: list[int] = field(default_factory=list)  # uncertain, without a ledger row
    unfounded: list[int] = field(default_factory=list)  # uncertain, though the ledger knows
    hidden: list[int] = field(default_factory=list)  # ambiguous, but not uncertain
    wrongly_resolved: list[int] = field(default_factory=list)
    most_undecided_in_a_batch: int = 0
    waiting: list[int] = field(default_factory=list)
    poisonous: int = 0
    poisonous_sent: list[int] = field(default_factory=list)
    slowest_recovery: float = 0.0

    @property
    def broken(self) -> list[str]:
        """Promises that were broken, in sentences that name the mails; empty when all were kept."""
        found = [
            _told(self.lost, "lost"),
            _told(self.duplicated, "accepted more than once"),
            _told(self.strangers, "accepted under a Message-ID that no mail has"),
            _told([f"{login} by {n}" for login, n in self.over_limit.items()], "over the limit"),
            _told(self.hidden, "ambiguous, but not uncertain"),
            _told(self.unfounded, "uncertain, though the ledger knows the answer"),
            _told(self.wrongly_resolved, "wrongly resolved"),
            _told(self.poisonous_sent, "sent, though poisonous"),
        ]
        if self.most_undecided_in_a_batch > 1:
            found.append(f"{self.most_undecided_in_a_batch} undecided mails in one batch: one is the most")
        if self.slowest_recovery > RECOVER_WITHIN:
            found.append(f"a batch was settled {self.slowest_recovery:.0f} s after its lease's end")
        return [sentence for sentence in found if sentence]


def judge(facts: Facts) -> Verdict:
    """Goes through all promises; needs a run that has come to rest."""
    accepted = Counter((entry.campaign, entry.rcpt.lower()) for entry in facts.accepted)
    verdict = Verdict(slowest_recovery=max(facts.recoveries, default=0.0))
    _find_lost(facts, accepted, verdict)
    _find_duplicates(facts, accepted, verdict)
    _find_over_limit(facts, verdict)
    _find_uncertain(facts, accepted, verdict)
    _find_wrongly_resolved(facts, accepted, verdict)
    poisonous = [mail for mail in facts.mails if _is_poisonous(mail)]
    verdict.poisonous = len(poisonous)
    verdict.poisonous_sent = [m.id for m in poisonous if m.status == "sent" or accepted[_key(m)]]
    return verdict


def _find_lost(facts: Facts, accepted: Counter[tuple[str, str]], verdict: Verdict) -> None:
    """Sent, but nobody accepted it; neither final nor uncertain, and nothing to wait for; gone."""
    for mail in facts.mails:
        if mail.status == "sent" and not accepted[_key(mail)]:
            verdict.lost.append(mail.id)
        elif mail.status in ("pending", "retry"):
            waits_for_nothing = facts.room.get(mail.campaign, 0) > 0
            (verdict.lost if waits_for_nothing else verdict.waiting).append(mail.id)
        elif mail.status not in FINAL | {"uncertain"}:
            verdict.lost.append(mail.id)
    verdict.lost += [-1] * (facts.queued - len(facts.mails))  # rows that are no more have no id


def _find_duplicates(facts: Facts, accepted: Counter[tuple[str, str]], verdict: Verdict) -> None:
    by_id = Counter(entry.message_id for entry in facts.accepted)
    verdict.duplicated = [
        mail.id for mail in facts.mails if accepted[_key(mail)] > 1 or by_id[mail.message_id] > 1
    ]
    known = {mail.message_id for mail in facts.mails}
    ours = [entry for entry in facts.accepted if entry.campaign != "history"]
    verdict.strangers = sorted({entry.message_id for entry in ours} - known)


def _find_over_limit(facts: Facts, verdict: Verdict) -> None:
    times: dict[str, list[float]] = defaultdict(list)
    for entry in facts.accepted:
        times[entry.login].append(entry.at)
    for login, at in times.items():
        most = most_within(at, WINDOW)
        if most > facts.limits.get(login, 0):
            verdict.over_limit[login] = most - facts.limits.get(login, 0)


def most_within(times: Iterable[float], window: float) -> int:
    """The largest number of these times in any half-open window of so many seconds."""
    ordered = sorted(times)
    most = start = 0
    for end, at in enumerate(ordered):
        while ordered[start] <= at - window:
            start += 1
        most = max(most, end - start + 1)
    return most


def _find_uncertain(facts: Facts, accepted: Counter[tuple[str, str]], verdict: Verdict) -> None:
    """Every ambiguity must be uncertain, and nothing else: accepted or not, and no answer on record."""
    answers = {(entry.mail, entry.batch): entry.outcome for entry in facts.ledger}
    sent = {entry.mail for entry in facts.ledger if entry.outcome == "sent"}
    unanswered = {misdeed.message_id for misdeed in facts.misdeeds if misdeed.is_ambiguous}
    undecided: Counter[int | None] = Counter()
    for mail in facts.mails:
        is_ambiguous = mail.message_id in unanswered or (accepted[_key(mail)] and mail.id not in sent)
        if mail.status != "uncertain":
            if is_ambiguous:
                verdict.hidden.append(mail.id)
            continue
        verdict.uncertain.append(mail.id)
        answer = answers.get((mail.id, mail.batch))
        if answer is None:
            verdict.of_a_dead_worker.append(mail.id)
            undecided[mail.batch] += 1
        elif answer != "uncertain":
            verdict.unfounded.append(mail.id)
    verdict.most_undecided_in_a_batch = max(undecided.values(), default=0)


def _find_wrongly_resolved(facts: Facts, accepted: Counter[tuple[str, str]], verdict: Verdict) -> None:
    """Said to be sent, by queue or ledger, and not accepted; the other way round."""
    sent = {entry.mail for entry in facts.ledger if entry.outcome == "sent"}
    for mail in facts.mails:
        is_accepted = bool(accepted[_key(mail)])
        says_sent = mail.status == "sent" or mail.id in sent
        says_not_sent = mail.status not in ("sent", "uncertain")
        if (says_sent and not is_accepted) or (says_not_sent and is_accepted):
            verdict.wrongly_resolved.append(mail.id)


def _is_poisonous(mail: Mail) -> bool:
    return mail.email.startswith((CRASHING, UNRENDERABLE))


def _key(mail: Mail) -> tuple[str, str]:
    return mail.campaign, mail.email.lower()


def _told(things: list, what: str) -> str:
    if not things:
        return ""
    names = ", ".join(str(thing) for thing in things[:20]) + (", …" if len(things) > 20 else "")
    return f"{len(things)} {what}: {names}"
