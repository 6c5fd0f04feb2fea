"""What follows from a reply beyond the mail itself: an account rests, a campaign pauses, an address
is suppressed."""

from collections import Counter
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction

from accounts.actions import pause_account
from sending import capacity, settle
from sending.campaign import pause_campaign
from sending.ledger import Attempt, Hold
from sending.models import QueuedEmail, Suppression
from sending.replies import Pause, Scope

SHORT_REST = timedelta(minutes=5)
# The provider says that the window is full, the ledger is empty: mail was sent past us. Look again.
UNKNOWN_WINDOW = timedelta(hours=1)
LOST_CONNECTIONS = 2  # in a row on one account, before it rests
CONTENT_REFUSALS = 3  # in a row in one campaign, before it pauses


class Effects:
    """Follows the attempts of one batch and draws the consequences, before the next mail starts."""

    def __init__(self, hold: Hold):
        self.hold = hold
        self.parked_accounts: set[int] = set()
        self.parked_campaigns: set[int] = set()
        self.lost: Counter[int] = Counter()
        self.content_refused: Counter[int] = Counter()
        # False once a hand-back found that the batch was recovered meanwhile: no mail may follow.
        self.is_ours = True

    def handed_back(self, mail: QueuedEmail) -> bool:
        """Whether this mail is the queue's again, since its account or campaign was parked."""
        return mail.account_id in self.parked_accounts or mail.campaign_id in self.parked_campaigns

    def follow(self, mail: QueuedEmail, attempt: Attempt) -> None:
        """Draws the consequences of a recorded attempt."""
        verdict = attempt.verdict
        if verdict.suppress:
            _suppress(mail)
        if verdict.pause is not None:
            self._park_account(attempt, _until(verdict.pause, attempt.account), verdict.cure)
        self._count_lost_connections(attempt)
        self._count_content_refusals(mail, attempt)

    def _count_lost_connections(self, attempt: Attempt) -> None:
        if attempt.verdict.scope not in (Scope.CONNECTION, Scope.UNKNOWN):
            self.lost[attempt.account] = 0
            return
        self.lost[attempt.account] += 1
        if self.lost[attempt.account] >= LOST_CONNECTIONS:
            cure = "The server keeps dropping the connection; sending goes on by itself."
            self._park_account(attempt, _until(Pause.SHORTLY, attempt.account), cure)

    def _count_content_refusals(self, mail: QueuedEmail, attempt: Attempt) -> None:
        if attempt.verdict.scope != Scope.CONTENT:
            self.content_refused[mail.campaign_id] = 0
            return
        self.content_refused[mail.campaign_id] += 1
        if self.content_refused[mail.campaign_id] >= CONTENT_REFUSALS:
            reason = f"Servers refuse what it says: {_reply(attempt)}. Change the message, then resume."
            pause_campaign(mail.campaign_id, reason)
            self.parked_campaigns.add(mail.campaign_id)
            self.is_ours &= settle.hand_back_campaign(self.hold.batch, self.hold.token, mail.campaign_id)

    def _park_account(self, attempt: Attempt, until: datetime | timedelta | None, cure: str) -> None:
        pause_account(attempt.account, f"{cure} ({_reply(attempt)})", until)
        self.parked_accounts.add(attempt.account)
        self.is_ours &= settle.hand_back_account(self.hold.batch, self.hold.token, attempt.account)


def _until(pause: Pause, account: int) -> datetime | timedelta | None:
    if pause == Pause.MENDED:
        return None
    if pause == Pause.SHORTLY:
        return SHORT_REST
    return capacity.look([account])[account].day_frees_at or UNKNOWN_WINDOW


def _reply(attempt: Attempt) -> str:
    return " ".join(str(part) for part in (attempt.code, attempt.enhanced_code, attempt.text) if part)


def _suppress(mail: QueuedEmail) -> None:
    try:
        with transaction.atomic():
            Suppression.objects.create(
                email=mail.email, reason=Suppression.Reason.BOUNCED, source=f"campaign {mail.campaign_id}"
            )
    except IntegrityError:
        pass  # suppressed already
