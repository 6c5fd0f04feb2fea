"""Were the promises kept? Compares the oracle's log, the ledger and the queue. Pure."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from accounts.models import SmtpAccount
from config.chaos.facts import Facts, Mail
from config.chaos.misbehaviour import CRASHING, UNRENDERABLE
from config.chaos.windows import broken_windows

FINAL = {"sent", "failed", "cancelled", "suppressed"}
RESOLVED = 0.99  # of uncertain mail, where there is a Sent folder
RECOVER_WITHIN = 60.0  # seconds after the lease's end


@dataclass
class Verdict:
    """What the judge found: ids of mails by kind, and figures. broken: promises that were, in sentences."""

    lost: list[int] = field(default_factory=list)
    duplicated: list[int] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)  # Message-IDs that no row of the queue has
    over_limit: list[str] = field(default_factory=list)  # windows, in words
    uncertain: list[int] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)  # once uncertain, proven or sent again
    of_a_dead_worker: list[int] = field(default_factory=list)  # uncertain, without a ledger row
    unfounded: list[int] = field(default_factory=list)  # uncertain, though the ledger knows
    hidden: list[int] = field(default_factory=list)  # ambiguous, but not uncertain
    wrongly_resolved: list[int] = field(default_factory=list)
    most_undecided_in_a_batch: int = 0
    waiting: list[int] = field(default_factory=list)
    poisonous: list[int] = field(default_factory=list)
    poisonous_sent: list[int] = field(default_factory=list)
    slowest_recovery: float = 0.0

    is_proven: bool = False  # uncertain mail is looked for in Sent folders

    @property
    def resolved_share(self) -> float:
        """Of the mails that were ever uncertain, those that were resolved without a person.

        A mail that crashes its server each time is a person's in the end, and left out.
        """
        left = set(self.uncertain) - set(self.poisonous)
        return len(self.resolved) / max(1, len(self.resolved) + len(left))

    @property
    def broken(self) -> list[str]:
        """Promises that were broken, in sentences that name the mails; empty when all were kept."""
        found = [
            _told(self.lost, "lost"),
            _told(self.duplicated, "accepted more than once"),
            _told(self.strangers, "accepted under a Message-ID that no mail has"),
            _told(self.over_limit, "windows over a limit"),
            _told(self.hidden, "ambiguous, but not uncertain"),
            _told(self.unfounded, "uncertain, though the ledger knows the answer"),
            _told(self.wrongly_resolved, "wrongly resolved"),
            _told(self.poisonous_sent, "sent, though poisonous"),
        ]
        if self.most_undecided_in_a_batch > 1:
            found.append(f"{self.most_undecided_in_a_batch} undecided mails in one batch: one is the most")
        if self.is_proven and len(self.uncertain) > 1 and self.resolved_share < RESOLVED:
            found.append(f"only {self.resolved_share:.1%} of what was uncertain was resolved automatically")
        if self.slowest_recovery > RECOVER_WITHIN:
            found.append(f"a batch was settled {self.slowest_recovery:.0f} s after its lease's end")
        return [sentence for sentence in found if sentence]


def judge(facts: Facts) -> Verdict:
    """Goes through all promises; needs a run that has come to rest."""
    accepted = Counter((entry.campaign, entry.rcpt.lower()) for entry in facts.accepted)
    verdict = Verdict(slowest_recovery=max(facts.recoveries, default=0.0), is_proven=facts.has_sent_folder)
    _find_lost(facts, accepted, verdict)
    _find_duplicates(facts, accepted, verdict)
    _find_over_limit(facts, verdict)
    _find_uncertain(facts, accepted, verdict)
    _find_wrongly_resolved(facts, accepted, verdict)
    poisonous = [mail for mail in facts.mails if _is_poisonous(mail)]
    verdict.poisonous = [mail.id for mail in poisonous]
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
    """By the oracle's clock, in every window that an account has a limit for."""
    times: dict[str, list[datetime]] = defaultdict(list)
    for entry in facts.accepted:
        times[entry.login].append(datetime.fromtimestamp(entry.at, UTC))
    for login, moments in times.items():
        account = SmtpAccount(name=login, **facts.limits[login])
        verdict.over_limit += broken_windows(account, moments)


def _find_uncertain(facts: Facts, accepted: Counter[tuple[str, str]], verdict: Verdict) -> None:
    """Every ambiguity must be uncertain, and nothing else: accepted or not, and no answer on record.

    Where there is a Sent folder, it must have been uncertain before it was resolved.
    """
    answers = {(entry.mail, entry.batch): entry.outcome for entry in facts.ledger}
    sent = {entry.mail for entry in facts.ledger if entry.outcome == "sent"}
    unanswered = {misdeed.message_id for misdeed in facts.misdeeds if misdeed.is_ambiguous}
    doubted = {e.mail for e in facts.ledger if e.outcome == "uncertain" or e.phase == "resolution"}
    undecided: Counter[int | None] = Counter()
    for mail in facts.mails:
        is_ambiguous = mail.message_id in unanswered or (accepted[_key(mail)] and mail.id not in sent)
        if mail.status != "uncertain":
            was_uncertain = facts.has_sent_folder and mail.id in doubted
            verdict.resolved += [mail.id] * was_uncertain
            if is_ambiguous and not was_uncertain:
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
