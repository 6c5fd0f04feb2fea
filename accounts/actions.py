"""What a person, or a reply of a server, can do to an account."""

import logging
from datetime import datetime

from accounts.models import SmtpAccount

logger = logging.getLogger(__name__)


def pause_account(account_id: int, reason: str, until: datetime | None = None) -> None:
    """Stops sending through the account until this time; with None until a person resumes it.

    reason is shown to staff: it says in plain words what happened and what mends it.
    """
    SmtpAccount.objects.filter(pk=account_id).update(pause_reason=reason[:500], paused_until=until)
    logger.warning("Account %s paused until %s: %s", account_id, until or "resumed by hand", reason)


def resume_account(account_id: int) -> None:
    """Lets the account send again."""
    SmtpAccount.objects.filter(pk=account_id).update(pause_reason="", paused_until=None)
    logger.info("Account %s resumed", account_id)
