"""What follows from a reply beyond the mail itself: an account rests, a campaign pauses, an address
is suppressed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.actions import pause_account
from accounts.models import AccountPause, SmtpAccount
from accounts.reply import as_said
from sending import capacity, settle
from sending.campaign import pause_campaign
from sending.database import patiently
from sending.judge import judge
from sending.ledger import Attempt, Hold, Stopped
from sending.models import QueuedEmail, SendLog, Suppression
from sending.replies import RECIPIENT_GONE, RECIPIENT_LATER, REFUSED_VAGUELY, Pause, Scope, Verdict
from sending.rules import RCPT_ON
from sending.suppression import suppress

SHORT_REST = timedelta(minutes=5)
# The provider says that the window is full, the ledger is empty: mail was sent past us. Look again.
UNKNOWN_WINDOW = timedelta(hours=1)
LOST, LOST_CONNECTIONS = (Scope.CONNECTION, Scope.UNKNOWN), 2  # in a row: the account rests
CONTENT, CONTENT_REFUSALS = (Scope.CONTENT,), 3  # in a row: the campaign pauses
DROPS = _lazy("The server keeps dropping the connection, or does not answer; sending goes on by itself.")


@dataclass(frozen=True)
class Row:
    """So many recipients in a row that are refused alike: it is not about them. The account rests."""

    verdict: Verdict
    count: int
    pause: Pause
    cure: str | Promise


ROWS = (
    # In words that no rule knows, so for the account's sake, perhaps.
    Row(REFUSED_VAGUELY, 10, Pause.MENDED, _lazy(
        "The server refuses one recipient after the other: find out why, then resume, and send failed again."
    )),
    Row(RECIPIENT_LATER, 10, Pause.SHORTLY, _lazy(
        "The server takes no recipient just now; sending goes on by itself."
    )),
    # An old list may have many that are no more; a server that knows nobody would suppress them all.
    Row(RECIPIENT_GONE, 30, Pause.MENDED, _lazy(
        "The server knows none of many recipients in a row: find out why. If the list is not to blame, take "
        "them off the suppression list, and send failed again. Then resume."
    )),
)  # fmt: skip

BY_HAND = (AccountPause.How.RESUMED, AccountPause.How.MENDED)  # somebody has looked


class Effects:
    """Follows the attempts of one batch and draws the consequences, before the next mail starts.

    All that it writes may be written twice, and waits for a database that is away.
    """

    def __init__(self, hold: Hold):
        self.hold = hold
        self.parked_accounts: set[int] = set()
        self.parked_campaigns: set[int] = set()
        self.parked_mails: set[int] = set()
        # False once a hand-back found that the batch was recovered meanwhile: no mail may follow.
        self.is_ours = True

    def handed_back(self, mail: QueuedEmail) -> bool:
        """Whether this mail is the queue's again, since it, its account or its campaign was parked."""
        return (
            mail.account_id in self.parked_accounts
            or mail.campaign_id in self.parked_campaigns
            or mail.pk in self.parked_mails
        )

    def follow(self, mail: QueuedEmail, attempt: Attempt) -> None:
        """Draws the consequences of a recorded attempt."""
        verdict = attempt.verdict
        if verdict.suppress:
            reason, source = Suppression.Reason.BOUNCED, _("campaign %s") % mail.campaign_id
            patiently(lambda: suppress(mail.email, reason, source=source))
        if verdict.pause is not None:
            self._pause_account(attempt, verdict.pause, verdict.cure)
        elif verdict.scope in LOST and _in_a_row(LOST, LOST_CONNECTIONS, account=attempt.account):
            self._pause_account(attempt, Pause.SHORTLY, DROPS)
        elif row := _row_of(mail, attempt):
            self._pause_account(attempt, row.pause, row.cure)
        if verdict.scope in CONTENT and _in_a_row(
            CONTENT, CONTENT_REFUSALS, queued_email__campaign=mail.campaign_id
        ):
            self._pause_campaign(attempt, mail.campaign_id)

    def heed(self, stopped: Stopped) -> None:
        """Gives back the mails of those whom a person, or another worker, stopped or changed meanwhile.

        The dispatcher ends those to suppressed addresses, and sends others as they are to be now.
        """
        for account in stopped.accounts - self.parked_accounts:
            self._park_account(account)
        for campaign in stopped.campaigns - self.parked_campaigns:
            self._park_campaign(campaign)
        if mails := stopped.mails - self.parked_mails:
            self._park_mails(mails)

    def heed_limits(self) -> None:
        """Gives back the mails of accounts whose limits were lowered since the batch was claimed."""
        for account, known in patiently(lambda: capacity.look(self.hold.accounts)).items():
            if known.is_exceeded and account not in self.parked_accounts:
                self._park_account(account)

    def _pause_account(self, attempt: Attempt, pause: Pause, cure: str | Promise) -> None:
        # First: what is given back takes no more place in the window.
        self._park_account(attempt.account)
        rest(attempt, pause, cure)

    def _pause_campaign(self, attempt: Attempt, campaign: int) -> None:
        reason = _("Servers refuse what it says: %(reply)s. Change the message, then resume.") % {
            "reply": _reply(attempt)
        }
        patiently(lambda: pause_campaign(campaign, reason))
        self._park_campaign(campaign)

    def _park_account(self, account: int) -> None:
        self.parked_accounts.add(account)
        self.is_ours &= settle.hand_back_account(self.hold.batch, self.hold.token, account)

    def _park_campaign(self, campaign: int) -> None:
        self.parked_campaigns.add(campaign)
        self.is_ours &= settle.hand_back_campaign(self.hold.batch, self.hold.token, campaign)

    def _park_mails(self, mails: Collection[int]) -> None:
        self.parked_mails.update(mails)
        self.is_ours &= settle.hand_back_mails(self.hold.batch, self.hold.token, mails)


def rest(attempt: Attempt, pause: Pause, cure: str | Promise) -> None:
    """Pauses the account that a reply is about, with the cure and the reply as the reason."""
    until = patiently(lambda: _until(pause, attempt.account))
    said = {"phase": attempt.phase, "reply": _reply(attempt)}
    patiently(lambda: pause_account(attempt.account, str(cure), until, **said))


def _in_a_row(scopes: Collection[str], count: int, **whose: int) -> bool:
    """Asked in trouble only. The ledger knows, since a batch may be shorter than the row."""
    return patiently(lambda: SendLog.objects.filter(**whose).in_a_row(scopes, count))


def _row_of(mail: QueuedEmail, attempt: Attempt) -> Row | None:
    """The row that this refusal of a recipient makes whole, with the account's last tries before it."""
    if attempt.phase not in RCPT_ON or attempt.code is None or mail.account is None:
        return None
    row = next((row for row in ROWS if row.verdict == attempt.verdict), None)
    return row if row and _is_whole(row, mail.account) else None


def _is_whole(row: Row, account: SmtpAccount) -> bool:
    """Whether the account's last tries since it was resumed were all of this kind."""

    def is_alike(tried: SendLog) -> bool:
        if tried.phase not in RCPT_ON or tried.code is None:
            return False
        said = tried.phase, tried.code, tried.enhanced_code, tried.text
        return judge(*said, provider=account.provider, host=account.host) == row.verdict

    def ask() -> bool:
        resumed = AccountPause.objects.filter(account=account, ended_how__in=BY_HAND).aggregate(
            at=Max("ended_at")
        )["at"]
        rows = SendLog.objects.filter(account=account)
        last = (rows.filter(at__gt=resumed) if resumed else rows).last_tries(row.count)
        return len({tried.queued_email_id for tried in last if is_alike(tried)}) == row.count

    return patiently(ask)


def _until(pause: Pause, account: int) -> datetime | timedelta | None:
    if pause == Pause.MENDED:
        return None
    if pause == Pause.SHORTLY:
        return SHORT_REST
    return capacity.look([account])[account].day_frees_at or UNKNOWN_WINDOW


def _reply(attempt: Attempt) -> str:
    return as_said(attempt.code, attempt.enhanced_code, attempt.text)
