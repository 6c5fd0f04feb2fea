"""What a person, or a reply of a server, can do to an account."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.postgres.functions import TransactionNow
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from accounts import removal
from accounts.mailboxes import one_mailbox_at_a_time
from accounts.models import AccountPause, SmtpAccount
from accounts.pauses import LONGEST_REASON
from accounts.phases import Phase
from accounts.presets import PRESETS, Provider

logger = logging.getLogger(__name__)

# The steps that accounts.checking does not try.
BEYOND_A_CHECK = (Phase.RCPT, Phase.DATA, Phase.DOT)


class Refused(Exception):
    """The action can't be done; the text says why and what to do."""


@transaction.atomic
def add_account(*, password: str = "", **fields: Any) -> SmtpAccount:
    """Adds an account; fields are those of SmtpAccount, password is plain text.

    Host, port and security may be left out where the provider has a preset. Raises ValidationError,
    whose message_dict says per field what to change; nothing is stored then.
    """
    one_mailbox_at_a_time()
    account = SmtpAccount(**{"port": None, "security": "", "imap_port": None, **fields})  # empty: the usual
    account.fill_in_preset()
    account.password = tidy_password(account.provider, password)
    if account.password and not account.username:
        account.username = account.email
    account.name = account.name or account.email
    account.full_clean()
    account.save()
    logger.info("Account %s added", account.pk)
    return account


@transaction.atomic
def change_account(account: SmtpAccount, *, password: str = "", **fields: Any) -> SmtpAccount:
    """Changes the given fields of SmtpAccount, and the password (plain text) where there is one.

    A provider brings what is its own, see brought_by(). Raises ValidationError as add_account does; nothing
    is changed then.
    """
    one_mailbox_at_a_time()
    current = SmtpAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
    fields |= brought_by(current, fields)
    for name, value in fields.items():
        setattr(current, name, value)
    current.fill_in_preset()
    if password:
        current.password = tidy_password(current.provider, password)
        current.username = current.username or current.email
    current.name = current.name or current.email
    current.full_clean()
    current.save()
    logger.info("Account %s changed: %s", current.pk, ", ".join([*fields, *(["password"] * bool(password))]))
    return current


def brought_by(account: SmtpAccount, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What follows for other fields of the account from these changes; empty is for fill_in_preset().

    A provider that is named, or a host that is emptied, brings the provider's host, port and security; a new
    provider also where its Sent folder is read, and its limit a minute: the old one's would have the new
    password tried there. What is in the changes stays.
    """
    provider, host = changes.get("provider", account.provider), (changes.get("host") or "").strip()
    preset = PRESETS.get(provider)
    brought: dict[str, Any] = {}
    if preset and not host and {"provider", "host"} & set(changes):
        brought |= {"host": "", "port": None, "security": ""}
    if preset and provider != account.provider:
        minute_limit = account.minute_limit or preset.minute_limit
        brought |= {"imap_host": preset.imap_host, "imap_port": None, "imap_security": ""}
        brought |= {"minute_limit": minute_limit}
    return {name: value for name, value in brought.items() if name not in changes}


def remove_account(account: SmtpAccount) -> None:
    """Removes an account. Raises Refused, with all reasons, where something still needs it."""
    if reasons := removal.reasons_against(account):
        raise Refused(
            _("%(email)s can't be removed. %(reasons)s")
            % {"email": account.email, "reasons": " ".join(reasons)}
        )
    pk = account.pk
    account.delete()
    logger.info("Account %s removed", pk)


def tidy_password(provider: str, password: str) -> str:
    """The password without what copying adds to it.

    Google shows app passwords in groups; the spaces between, often no-break ones, are not part of it.
    """
    if provider in (Provider.GMAIL, Provider.WORKSPACE):
        return "".join(password.split())
    return password.strip("\r\n")


def pause_account(
    account_id: int,
    reason: str,
    until: datetime | timedelta | None = None,
    *,
    phase: str = "",
    reply: str = "",
) -> None:
    """Stops sending through the account until then, or for so long by Postgres' clock.

    With None until a person resumes it. reason is shown to staff: it says in plain words what
    happened and what mends it. reply: the server's words, shown behind it; they may quote a recipient's
    address, so no log gets them. phase: at which step it said so, see resume_mended_account(). A pause
    that lasts longer already stays as it is, and so does one that only a person ends.
    """
    shown = f"{reason} ({reply})" if reply else reason
    ends = Now() + until if isinstance(until, timedelta) else until
    longer = Q()
    if ends is not None:
        longer = Q(paused_until=None) | Q(paused_until__gt=ends)
    elif phase not in BEYOND_A_CHECK:
        longer = Q(paused_until=None, pause_phase__in=BEYOND_A_CHECK)
    accounts = SmtpAccount.objects.filter(pk=account_id)
    if longer:
        accounts = accounts.exclude(~Q(pause_reason="") & longer)
    if not accounts.update(pause_reason=shown[:LONGEST_REASON], paused_until=ends, pause_phase=phase):
        return
    logger.warning("Account %s paused (%s): %s", account_id, until or "until it is mended", reason)


def resume_account(account_id: int, by: str = "") -> bool:
    """Lets the account send again; returns whether it was paused. by: who says so, for its history."""
    paused = SmtpAccount.objects.filter(pk=account_id).exclude(pause_reason="")
    if not _end_pause(paused, account_id, AccountPause.How.RESUMED, by):
        return False
    logger.info("Account %s resumed", account_id)
    return True


def pause_refused_account(account: SmtpAccount, reason: str) -> bool:
    """Stops sending through an account whose log-in was just refused, until it is mended.

    Returns whether it could have sent until now: nothing changes where it is paused or disabled, or where
    its connection is another one by now than that account was read with.
    """
    read = {name: getattr(account, name) for name in ("host", "port", "security", "username", "password")}
    shown = reason[:LONGEST_REASON]
    same = SmtpAccount.objects.usable().filter(pk=account.pk, **read)
    if not same.update(pause_reason=shown, paused_until=None, pause_phase=Phase.AUTH):
        return False
    account.pause_reason, account.paused_until, account.pause_phase = shown, None, Phase.AUTH
    logger.warning("Account %s paused until it is mended: its log-in was refused", account.pk)
    return True


def resume_mended_account(account: SmtpAccount, by: str = "") -> bool:
    """Lets an account send again that was paused until mended, for it has just proved to work.

    Returns whether it was paused so. A pause with an end stays: logging in frees no daily limit. So
    does one for what a server said later than a check goes, of a recipient or a message, and one for
    another reason than the one that account was read with. by: who had it checked.
    """
    if not account.pause_reason or account.paused_until is not None or account.pause_phase in BEYOND_A_CHECK:
        return False
    same_pause = SmtpAccount.objects.filter(
        pk=account.pk, pause_reason=account.pause_reason, paused_until=None
    )
    if not _end_pause(same_pause, account.pk, AccountPause.How.MENDED, by):
        return False
    account.pause_reason = account.pause_phase = ""
    logger.info("Account %s resumed: it works again", account.pk)
    return True


def _end_pause(accounts: QuerySet[SmtpAccount], account_id: int, how: str, by: str) -> int:
    """Ends the pause of one account, and writes into its history what the trigger can't know."""
    with transaction.atomic():
        ended = accounts.update(pause_reason="", paused_until=None, pause_phase="")
        # The one that this transaction has ended: one whose time was up before has ended by itself.
        own = AccountPause.objects.filter(
            account=account_id, ended_at=TransactionNow(), ended_how=AccountPause.How.RESUMED
        )
        if ended:
            own.update(ended_how=how, ended_by=by[:150])
    return ended


def encrypt_passwords_anew() -> int:
    """Encrypts all stored passwords with the first of CREDENTIAL_KEYS, so that old keys can go.

    Returns how many. Raises UndecryptableSecret, and changes none, where a key is missing.
    """
    with transaction.atomic():
        accounts = SmtpAccount.objects.select_for_update().exclude(password="").order_by("id")
        for account in accounts:
            account.password = account.password.reveal()
            account.save(update_fields=["password"])
    logger.info("Passwords encrypted anew: %s", len(accounts))
    return len(accounts)
