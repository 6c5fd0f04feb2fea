"""Were the promises kept? Compares the oracle's log, the ledger and the queue. Pure."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime

from accounts.models import SmtpAccount
from config.chaos.facts import Entry, Facts, Mail
from config.chaos.misbehaviour import CRASHING, UNRENDERABLE
from config.chaos.windows import broken_windows

RESOLUTION = "resolution"  # the ledger's phase for what a look in the Sent folder, or a rule, said
FINAL = {"sent", "failed", "suppressed"}  # nothing is cancelled
RESOLVED = 0.99  # of uncertain mail that was accepted; under the rule "resend", of all uncertain mail
RESEND = "resend"  # what is not in the Sent folder is sent again; else a person decides
RECOVER_WITHIN = 60.0  # seconds after the lease's end


@dataclass
class Doubts:
    """What became of attempts that left a mail uncertain, under one rule of accounts with a Sent folder.

    Ids of mails; one that was uncertain twice is there twice. Poisonous mails, which nobody ever
    accepts, are left out.
    """

    found: list[int] = field(default_factory=list)  # accepted, and it counts as sent
    missed: list[int] = field(default_factory=list)  # accepted, but left to a person
    sent_again: list[int] = field(default_factory=list)  # not accepted, and back in the queue
    held: list[int] = field(default_factory=list)  # not accepted, and left to a person
    duplicated: list[int] = field(default_factory=list)

    def broken(self, rule: str) -> list[str]:
        """What should not be, in sentences. One mail that is left is no share of anything yet."""
        left = self.missed + (self.held if rule == RESEND else [])
        settled = len(self.found) + (len(self.sent_again) if rule == RESEND else 0)
        share = settled / max(1, settled + len(left))
        found = [_told(self.duplicated, f"accepted twice after a doubt, under the rule {rule}")]
        if len(left) > 1 and share < RESOLVED:
            found.append(_told(left, f"left to a person ({share:.1%} settled), under the rule {rule}"))
        return [sentence for sentence in found if sentence]


@dataclass
class Verdict:
    """What the judge found: ids of mails by kind, and figures. broken: promises that were, in sentences."""

    lost: list[int] = field(default_factory=list)
    duplicated: list[int] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)  # Message-IDs that no row of the queue has
    over_limit: list[str] = field(default_factory=list)  # windows, in words
    uncertain: list[int] = field(default_factory=list)
    of_a_dead_worker: list[int] = field(default_factory=list)  # uncertain, without a ledger row
    unfounded: list[int] = field(default_factory=list)  # uncertain, though the ledger knows
    hidden: list[int] = field(default_factory=list)  # ambiguous, but not uncertain
    wrongly_resolved: list[int] = field(default_factory=list)
    misattributed: list[int] = field(default_factory=list)  # the ledger has it of another account, or twice
    most_undecided_in_a_batch: int = 0
    waiting: list[int] = field(default_factory=list)
    poisonous: list[int] = field(default_factory=list)
    poisonous_sent: list[int] = field(default_factory=list)
    slowest_recovery: float = 0.0

    doubts: dict[str, "Doubts"] = field(default_factory=dict)  # by the rule of the account

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
            _told(self.misattributed, "in the ledger once too often, or of another account than accepted it"),
            _told(self.poisonous_sent, "sent, though poisonous"),
        ]
        if self.most_undecided_in_a_batch > 1:
            found.append(f"{self.most_undecided_in_a_batch} undecided mails in one batch: one is the most")
        for rule, doubts in self.doubts.items():
            found += doubts.broken(rule)
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
    _find_misattributed(facts, verdict)
    verdict.doubts = _find_doubts(facts, accepted)
    poisonous = [mail for mail in facts.mails if _is_poisonous(mail)]
    verdict.poisonous = [mail.id for mail in poisonous]
    verdict.poisonous_sent = [m.id for m in poisonous if m.status == "sent" or accepted[_key(m)]]
    return verdict


def _find_lost(facts: Facts, accepted: Counter[tuple[str, str]], verdict: Verdict) -> None:
    """Sent, but nobody accepted it; failed with tries left; suppressed, though its address is not; neither
    final nor uncertain, and nothing to wait for; gone."""
    refused = {entry.mail for entry in facts.ledger if entry.outcome == "failed"}
    tries = Counter(entry.mail for entry in facts.ledger if entry.outcome != "returned")
    suppressed = {email.lower() for email in facts.suppressed}

    def has_no_reason(mail: Mail) -> bool:
        if mail.status == "failed":
            return mail.id not in refused and tries[mail.id] <= facts.max_retries
        return mail.status == "suppressed" and mail.email.lower() not in suppressed

    for mail in facts.mails:
        if mail.status == "sent" and not accepted[_key(mail)]:
            verdict.lost.append(mail.id)
        elif mail.status in ("pending", "retry"):
            waits_for_nothing = facts.room.get(mail.campaign, 1) > 0  # a campaign that rests has none
            (verdict.lost if waits_for_nothing else verdict.waiting).append(mail.id)
        elif mail.status not in FINAL | {"uncertain"} or has_no_reason(mail):
            verdict.lost.append(mail.id)
    verdict.lost += [-1] * (facts.queued - len(facts.mails))  # rows that are no more have no id
    verdict.duplicated += [-1] * (len(facts.mails) - facts.queued)  # rows that nobody queued


def _find_duplicates(facts: Facts, accepted: Counter[tuple[str, str]], verdict: Verdict) -> None:
    by_id = Counter(entry.message_id for entry in facts.accepted)
    verdict.duplicated += [
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
    doubted = {entry.mail for entry in facts.ledger if _is_doubt(entry)}
    # A mail that its dead worker left undecided has no ledger row until it is resolved, and then that one.
    undecided = Counter(entry.batch for entry in facts.ledger if entry.phase == RESOLUTION)
    for mail in facts.mails:
        is_ambiguous = mail.message_id in unanswered or (accepted[_key(mail)] and mail.id not in sent)
        if mail.status != "uncertain":
            if is_ambiguous and not (facts.rules and mail.id in doubted):
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


def _find_doubts(facts: Facts, accepted: Counter[tuple[str, str]]) -> dict[str, Doubts]:
    """Each attempt that left a mail uncertain, by the rule of its account."""
    found = {rule: Doubts() for rule in sorted(set(facts.rules.values()))}
    entries: dict[int, list[Entry]] = defaultdict(list)
    for entry in facts.ledger:
        entries[entry.mail].append(entry)
    for mail in facts.mails:
        doubts = [(entry.batch, entry.login) for entry in entries[mail.id] if _is_doubt(entry)]
        if mail.status == "uncertain" and (mail.batch, mail.login) not in doubts:
            doubts.append((mail.batch, mail.login or ""))  # its worker died, and nothing followed yet
        if _is_poisonous(mail):
            continue
        for batch, login in doubts:
            if login in facts.rules:
                of_rule = found[facts.rules[login]]
                _became(
                    of_rule, mail, batch, entries[mail.id], is_accepted=bool(accepted[_key(mail)])
                ).append(mail.id)
                of_rule.duplicated += [mail.id] * (accepted[_key(mail)] > 1)
    return found


def _became(
    of_rule: Doubts, mail: Mail, batch: int | None, entries: list[Entry], *, is_accepted: bool
) -> list[int]:
    """The list for what became of this attempt: what followed it in the ledger, or else the mail's state."""
    if mail.status == "uncertain" and mail.batch == batch:
        return of_rule.missed if is_accepted else of_rule.held
    later = entries[[entry.batch for entry in entries].index(batch) + 1 :]
    answered = any(e.outcome == "sent" and e.phase != RESOLUTION for e in later)
    is_last = not any(map(_is_doubt, later))
    return of_rule.found if mail.status == "sent" and is_last and not answered else of_rule.sent_again


def _is_doubt(entry: Entry) -> bool:
    return entry.outcome == "uncertain" or entry.phase == RESOLUTION


def _find_wrongly_resolved(facts: Facts, accepted: Counter[tuple[str, str]], verdict: Verdict) -> None:
    """Said to be sent, by queue or ledger, and not accepted; the other way round."""
    sent = {entry.mail for entry in facts.ledger if entry.outcome == "sent"}
    for mail in facts.mails:
        is_accepted = bool(accepted[_key(mail)])
        says_sent = mail.status == "sent" or mail.id in sent
        says_not_sent = mail.status not in ("sent", "uncertain")
        if (says_sent and not is_accepted) or (says_not_sent and is_accepted):
            verdict.wrongly_resolved.append(mail.id)


def _find_misattributed(facts: Facts, verdict: Verdict) -> None:
    """The ledger is what limits are counted by: one row says sent, of the account that the oracle knows."""
    said: dict[int, list[str]] = defaultdict(list)
    for entry in facts.ledger:
        if entry.outcome == "sent":
            said[entry.mail].append(entry.login)
    logins: dict[str, set[str]] = defaultdict(set)
    for acceptance in facts.accepted:
        logins[acceptance.message_id].add(acceptance.login)
    for mail in facts.mails:
        rows, known = said[mail.id], logins[mail.message_id]
        if len(rows) > 1 or (rows and known and not known >= set(rows)):
            verdict.misattributed.append(mail.id)


def _is_poisonous(mail: Mail) -> bool:
    return mail.email.startswith((CRASHING, UNRENDERABLE))


def _key(mail: Mail) -> tuple[str, str]:
    return mail.campaign, mail.email.lower()


def _told(things: list, what: str) -> str:
    if not things:
        return ""
    names = ", ".join(str(thing) for thing in things[:20]) + (", …" if len(things) > 20 else "")
    return f"{len(things)} {what}: {names}"
