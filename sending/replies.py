"""What a server's reply can mean: scope before severity. sending/judge.py finds out which it is."""

from dataclasses import dataclass, replace
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Scope(StrEnum):
    """Whom a refusal is about."""

    NONE = "none"  # nobody: the mail was accepted
    RECIPIENT = "recipient"
    ACCOUNT = "account"
    CONTENT = "content"
    CONNECTION = "connection"  # lost before the final dot: the mail was not accepted
    UNKNOWN = "unknown"  # lost after it: the mail may have been accepted


class Pause(StrEnum):
    """How long an account rests after a refusal that is about it."""

    SHORTLY = "shortly"  # some minutes
    WINDOW = "window"  # until its rolling 24 hours free
    MENDED = "mended"  # until a person mended it


@dataclass(frozen=True)
class Verdict:
    """outcome: the ledger's word (SendLog.Outcome). pause and cure: for Scope.ACCOUNT only.

    suppress: the reply proves that the address is no more; a full mailbox or a policy does not.
    is_vague: it names no reason that is the recipient's alone, so it may be about the account; many in a
    row are (effects.ROWS).
    """

    scope: Scope
    outcome: str
    pause: Pause | None = None
    cure: str | Promise = ""
    suppress: bool = False
    is_vague: bool = False


def _account(pause: Pause, cure: str | Promise) -> Verdict:
    return Verdict(Scope.ACCOUNT, "returned", pause, cure)


SENT = Verdict(Scope.NONE, "sent")
UNCERTAIN = Verdict(Scope.UNKNOWN, "uncertain")
LOST_CONNECTION = Verdict(Scope.CONNECTION, "retry")
RECIPIENT_GONE = Verdict(Scope.RECIPIENT, "failed", suppress=True)
RECIPIENT_REFUSED = Verdict(Scope.RECIPIENT, "failed")
REFUSED_VAGUELY = replace(RECIPIENT_REFUSED, is_vague=True)
RECIPIENT_LATER = Verdict(Scope.RECIPIENT, "retry")
CONTENT_REFUSED = Verdict(Scope.CONTENT, "failed")
CONTENT_LATER = Verdict(Scope.CONTENT, "retry")
CANT_COMPOSE = Verdict(Scope.RECIPIENT, "failed")
CANT_COMPOSE_NOW = Verdict(Scope.RECIPIENT, "retry")

TRY_LATER = _account(Pause.SHORTLY, _("The server wants a rest; sending goes on by itself."))
# Costs an attempt: a mail that provokes it would stand at the head of the queue for ever.
RETRY_AND_REST = replace(TRY_LATER, outcome="retry")
UNREACHABLE = _account(Pause.SHORTLY, _("The server can't be reached; check host, port and security."))

LIMIT_REACHED = _account(
    Pause.WINDOW, _("The provider's daily limit is used up: lower the daily limit here.")
)
SUSPECTED = _account(
    Pause.WINDOW, _("The provider takes so much mail for unsolicited: lower the daily limit here.")
)

APP_PASSWORD = _account(Pause.MENDED, _("The provider wants an app password: make one and enter it."))
WRONG_PASSWORD = _account(Pause.MENDED, _("User name or password is wrong: enter the right ones."))
BROWSER_LOGIN = _account(
    Pause.MENDED, _("The provider doubts this log-in: log in to the mailbox with a browser and confirm it.")
)
SMTP_AUTH_OFF = _account(
    Pause.MENDED, _("SMTP AUTH is turned off for this mailbox: ask the administrator to allow it.")
)
LOGIN_WANTED = _account(
    Pause.MENDED, _("The server wants a log-in before it sends: enter user name and password.")
)
LOG_IN_NOT_OFFERED = _account(
    Pause.MENDED,
    _(
        "The server offers no log-in with a password here: choose port 587 with STARTTLS, or 465 with TLS"
        " from the start; where it wants no log-in, leave the user name empty."
    ),
)
TLS_WANTED = _account(Pause.MENDED, _("The server wants TLS: choose STARTTLS or TLS from the start."))
SENDER_REFUSED = _account(Pause.MENDED, _("The server does not let this account send: check its settings."))
NOT_AS_SENDER = _account(
    Pause.MENDED, _("The server does not let this account send with its From address: correct or allow it.")
)
UNVERIFIED_SENDER = _account(
    Pause.MENDED, _("The provider does not know the From address as yours: verify address or domain there.")
)
UNPROVEN_DOMAIN = _account(
    Pause.MENDED, _("The From address's domain is not authenticated: set up SPF, DKIM and DMARC for it.")
)
ACCOUNT_BLOCKED = _account(
    Pause.MENDED, _("The provider has blocked this account from sending: log in there and see why.")
)
HOST_BLOCKED = _account(
    Pause.MENDED, _("The server's or this machine's network address is on a block list: have it removed.")
)
OWN_MAILBOX_FULL = _account(Pause.MENDED, _("This account's own mailbox is full: empty its Sent folder."))
