"""The one table that a run ends with, in Markdown."""

import shutil
import statistics
from collections import Counter
from collections.abc import Mapping

from config.chaos.facts import Facts
from config.chaos.judge import Verdict


def table(
    facts: Facts, verdict: Verdict, faults: Mapping[str, int], lanes_at_kills: list[int], claims: str
) -> str:
    """What was compared, and what was caused."""
    rows = [*_promises(facts, verdict), *_figures(facts, verdict, faults, lanes_at_kills)]
    lines = ["| measure | figure |", "| --- | --- |", *(f"| {name} | {figure} |" for name, figure in rows)]
    if claims:
        lines.append(f"| limits under load | {claims} |")
    lines += ["| **faults caused** | |", *(f"| {kind} | {count} |" for kind, count in sorted(faults.items()))]
    if not shutil.which("cc"):
        lines.append("| there is no C compiler | of the wrong clocks only the time zones were wrong |")
    misdeeds = Counter(misdeed.kind for misdeed in facts.misdeeds)
    lines += ["| **what the server did** | |"]
    lines += [f"| {kind} | {count} |" for kind, count in sorted(misdeeds.items())]
    return "\n".join(lines)


def _promises(facts: Facts, verdict: Verdict) -> list[tuple[str, object]]:
    states = Counter(mail.status for mail in facts.mails)
    accepted = sum(entry.campaign != "history" for entry in facts.accepted)
    return [
        ("queued", f"{facts.queued:,}"),
        ("accepted by the server", f"{accepted:,}"),
        ("sent, failed, suppressed, waiting", _listed(
            states["sent"], states["failed"], states["suppressed"], len(verdict.waiting))),
        ("lost", len(verdict.lost)),
        ("duplicated", len(verdict.duplicated) + len(verdict.strangers)),
        ("windows over a limit", len(verdict.over_limit)),
        ("uncertain", len(verdict.uncertain)),
        ("of these: no answer after the final dot, its worker died", _split(verdict)),
        *_resolved(verdict),
        ("ambiguous, but not uncertain", len(verdict.hidden)),
        ("uncertain without a reason", len(verdict.unfounded)),
        ("wrongly resolved", len(verdict.wrongly_resolved)),
        ("in the ledger twice, or of another account", len(verdict.misattributed)),
    ]  # fmt: skip


def _figures(
    facts: Facts, verdict: Verdict, faults: Mapping[str, int], lanes_at_kills: list[int]
) -> list[tuple[str, object]]:
    kills = sum(count for kind, count in faults.items() if kind.startswith("kill -9"))
    wedges = facts.restarts.get("its workers take no work", 0)
    ended = facts.restarts.get("it had ended", 0)
    cuts = sum(misdeed.is_ambiguous for misdeed in facts.misdeeds)
    return [
        ("kill -9; batches that were being sent then", f"{kills}; {sum(lanes_at_kills)}"),
        ("undecided mails of one batch, at most", verdict.most_undecided_in_a_batch),
        ("poisonous mails; sent all the same", _listed(len(verdict.poisonous), len(verdict.poisonous_sent))),
        ("answers withheld after the final dot", cuts),
        ("batches whose lease ran out", len(facts.recoveries)),
        ("settled after the lease's end: p50, max", _recovery(facts.recoveries)),
        ("clusters started anew: wedged, ended, other", _listed(
            wedges, ended, sum(facts.restarts.values()) - wedges - ended)),
    ]  # fmt: skip


def _resolved(verdict: Verdict) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for rule, doubts in verdict.doubts.items():
        accepted, never = len(doubts.found) + len(doubts.missed), len(doubts.sent_again) + len(doubts.held)
        told = f"once uncertain, rule {rule}"
        rows += [
            (f"{told}: accepted; of these found in the Sent folder", _listed(accepted, len(doubts.found))),
            (f"{told}: never accepted; of these sent again, held for a person",
             f"{never:,}; {_listed(len(doubts.sent_again), len(doubts.held))}"),
            (f"{told}: accepted twice", len(doubts.duplicated)),
        ]  # fmt: skip
    return rows


def _listed(*figures: int) -> str:
    return ", ".join(f"{figure:,}" for figure in figures)


def _split(verdict: Verdict) -> str:
    dead = len(verdict.of_a_dead_worker)
    return _listed(len(verdict.uncertain) - dead, dead)


def _recovery(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} s, {max(seconds):.1f} s" if seconds else "-"
