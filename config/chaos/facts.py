"""What there is to judge by afterwards: the oracle's log, our ledger, the queue. Read, not judged."""

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import SmtpAccount
from campaigns.models import Campaign
from config.chaos import oracle_log, staff
from config.chaos.oracle_log import Acceptance, Misdeed
from sending import capacity
from sending.models import Batch, Pacing, QueuedEmail, SendLog, Suppression

# What windows.broken_windows() looks at.
LIMITS = (
    "daily_limit", "limit_window", "time_zone", "hourly_limit", "minute_limit",
    "warm_up_start", "warm_up_step", "warm_up_since",
)  # fmt: skip
SOON = timedelta(minutes=10)


@dataclass(frozen=True)
class Mail:
    """A row of the queue; campaign by its name, login of the account that has it, or had it last."""

    id: int
    campaign: str
    email: str
    status: str
    batch: int | None
    message_id: str
    login: str | None = None


@dataclass(frozen=True)
class Entry:
    """A row of the ledger; login: the account's."""

    mail: int
    batch: int | None
    login: str
    phase: str
    outcome: str


@dataclass(frozen=True)
class Facts:
    """What happened.

    queued: mails that were queued. limits: of each log-in, by the account's fields. room: mails that a
    campaign's usable accounts could still send now. recoveries: seconds from the end of a lease to the
    settled batch. restarts: of clusters, by reason. rules: by log-in, for accounts with a Sent folder in
    which uncertain mail is looked for: what happens with one that is not there, "hold" or "resend".
    suppressed: addresses that get no mail.
    """

    queued: int
    mails: list[Mail]
    ledger: list[Entry]
    accepted: list[Acceptance]
    misdeeds: list[Misdeed]
    limits: dict[str, dict[str, Any]]
    room: dict[str, int] = field(default_factory=dict)
    recoveries: list[float] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    suppressed: list[str] = field(default_factory=list)
    max_retries: int = 3

    def write(self, path: Path) -> None:
        """Keeps them as evidence."""
        path.write_text(json.dumps(asdict(self), indent=0, default=str))


def collect(folder: Path, queued: int) -> Facts:
    """Reads the database and the files of a run that has come to rest."""
    accepted, misdeeds = oracle_log.read(folder / "oracle.log")
    return Facts(
        queued=queued,
        mails=_mails(),
        ledger=_ledger(),
        accepted=accepted,
        misdeeds=misdeeds,
        limits={fields.pop("username"): fields for fields in SmtpAccount.objects.values(*LIMITS, "username")},
        room=room(),
        recoveries=_recoveries(),
        restarts=_restarts(folder),
        rules=dict(SmtpAccount.objects.exclude(imap_host="").values_list("username", "when_unproven")),
        suppressed=list(Suppression.objects.values_list("email", flat=True)),
        max_retries=Pacing.load().max_retries,
    )


def _mails() -> list[Mail]:
    rows = QueuedEmail.objects.exclude(campaign__name="history").order_by("id")
    return [
        Mail(*row)
        for row in rows.values_list(
            "id", "campaign__name", "email", "status", "batch", "message_id", "account__username"
        )
    ]


def _ledger() -> list[Entry]:
    rows = SendLog.objects.exclude(queued_email__campaign__name="history").order_by("id")
    return [
        Entry(*row)
        for row in rows.values_list("queued_email", "batch", "account__username", "phase", "outcome")
    ]


def room() -> dict[str, int]:
    """Mails that each sending campaign's accounts could still take, a full minute and a rest that passes soon
    aside."""
    used_up = Q(pause_reason__contains=staff.LIMIT, paused_until__gt=Now() + SOON)
    usable = SmtpAccount.objects.filter(is_enabled=True).exclude(used_up)
    left = {pk: _left(seen) for pk, seen in capacity.look(usable.values_list("id", flat=True)).items()}
    found = {}
    for campaign in Campaign.objects.filter(status="sending").prefetch_related("accounts"):
        own = {account.pk for account in campaign.accounts.all()} or set(left)
        found[campaign.name] = sum(n for pk, n in left.items() if pk in own)
    return found


def _left(seen: capacity.Capacity) -> int:
    return min(span.left for span in seen.spans if span.name != "minute")


def _recoveries() -> list[float]:
    late = Batch.objects.filter(finished__gt=F("lease")).values_list("finished", "lease")
    return [(finished - lease).total_seconds() for finished, lease in late]


def _restarts(folder: Path) -> dict[str, int]:
    reasons: Counter[str] = Counter()
    for log in folder.glob("cluster-*.log"):
        text = log.read_text(errors="replace")
        reasons.update(re.findall(r"The cluster is started anew: (.+)", text))
        reasons["it had ended"] += len(re.findall(r"The cluster ended by itself", text))
    return dict(reasons)
