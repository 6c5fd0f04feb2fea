"""Does an account's connection work, and if not, what is wrong and what mends it, in plain words.

The causes are a table, first match wins. Sources: RFC 4954 (AUTH), RFC 3207 (STARTTLS), RFC 3463;
https://support.google.com/a/answer/3726730 for what Google answers.
"""

import math
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from django.conf import settings
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import timeouts
from accounts.actions import pause_refused_account, resume_mended_account
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.imap import MailboxFailure
from accounts.models import SmtpAccount
from accounts.network import speaks_tls
from accounts.phases import Phase
from accounts.presets import PRESETS, Security
from accounts.reply import as_said, one_line
from accounts.sent_folder import find_folders
from accounts.words import moment

AT_A_TIME = 16


@dataclass(frozen=True)
class Check:
    """ok, or the phase that failed, what is wrong and how to mend it. resumed: its pause is over. rests: why
    nothing goes out through it all the same.

    sent_folder: the name of the Sent folder; unread: why it can't be read. Both empty where the account has
    no IMAP host. ok is about sending alone. is_refused: the server has refused the log-in for good.
    """

    ok: bool
    phase: Phase | None = None
    problem: str = ""
    cure: str = ""
    resumed: bool = False
    rests: str = ""
    sent_folder: str = ""
    unread: str = ""
    is_refused: bool = False

    def __str__(self) -> str:
        return " ".join(filter(None, (self.lead, self.rest)))

    @property
    def lead(self) -> str:
        """What is wrong, or that nothing is."""
        return str(_("The connection works.")) if self.ok else self.problem

    @property
    def rest(self) -> str:
        """What mends it, and what else there is to say."""
        said = [self.cure]
        if self.resumed:
            said.append(str(_("The account sends again.")))
        if self.rests:
            said.append(self.rests)
        if self.is_refused:
            said.append(str(_("Nothing goes out through it until a check works.")))
        if self.sent_folder:
            told = {"folder": self.sent_folder}
            said.append(_("Uncertain mail is looked for in its folder “%(folder)s”.") % told)
        if self.unread:
            said.append(_("Uncertain mail can't be looked for: %(reason)s") % {"reason": self.unread})
        return " ".join(filter(None, said))


@dataclass(frozen=True)
class Cause:
    """Matches "phase security port: code enhanced-code text"; the words may name what they are about."""

    pattern: str
    problem: str | Promise
    cure: str | Promise


CHECK_PORTS = _("Usual are port 587 with STARTTLS, and port 465 with TLS from the start.")
SPEAKS_TLS = "It speaks TLS from the start"
# A log-in that is refused in these words may be taken later: as sending.common_rules has it.
FOR_A_WHILE = "(too many (?!bad auth)|generic failure|throttl)"
TLS_TIMEOUT = 5  # seconds for that question
CAUSES = (
    Cause(r"^connect .*name is not known", _("There is no host “{host}”."),
          _("Check its spelling; if it is right, this machine's DNS does not answer.")),
    Cause(r"^connect .*refuses the connection", _("Nothing listens on {host}, port {port}."),
          _("Check host and port. {ports}")),
    Cause(r"^connect .*unreachable|^connect .*no route", _("This machine has no way to {host}."),
          _("Check the host; if it is right, ask whoever runs this machine's network.")),
    Cause(r"^connect .*nobody answers", _("Nobody answers on {host}, port {port}."),
          _("Check host and port. {ports} Else a firewall may be between: ask whoever runs it.")),
    Cause(r"^connect .*" + SPEAKS_TLS, _("Port {port} of {host} speaks TLS from the start."),
          _("Choose this security, or port 587 with STARTTLS.")),
    Cause(r"^connect .*not an SMTP reply",
          _("What answers on {host}, port {port}, is no SMTP server ({text})."),
          _("Check host and port. {ports}")),
    Cause(r"^connect (none|starttls) 465: .*took too long", _("{host} does not greet on port 465."),
          _("Port 465 speaks TLS from the start: choose this security, or port 587 with STARTTLS.")),
    Cause(r"^connect (none|starttls) .*(took too long|closed the connection)",
          _("{host} does not greet as an SMTP server on port {port}."),
          _("Check host and port. {ports} Else a firewall may be between.")),
    Cause(r"took too long", _("{host} took too long to answer on port {port}."),
          _("Check host, port and security. {ports} Else a firewall may be between.")),
    Cause(r"SMTP_CA_FILE", "{text}.",
          _("Correct SMTP_CA_FILE, or leave it empty.")),
    Cause(r"certificate is not right: .*mismatch", _("The certificate of {host} is for another name."),
          _("Enter the host name that is in the certificate.")),
    Cause(r"certificate is not right: .*expired", _("The certificate of {host} has expired."),
          _("Whoever runs the server must renew it; check this machine's clock, too.")),
    Cause(r"certificate is not right: .*not yet valid", _("The certificate of {host} is not valid yet."),
          _("Check this machine's clock.")),
    Cause(r"certificate is not right",
          _("The certificate of {host} is not signed by anybody trusted here."),
          _("Check the host name. For a server with its own authority, set SMTP_CA_FILE to its "
            "certificate.")),
    Cause(r"^(connect|tls) tls .*TLS failed", _("{host} does not speak TLS from the start on port {port}."),
          _("Choose STARTTLS, or the port for TLS from the start (usually 465).")),
    Cause(r"TLS failed", _("{host} and this machine agree on no TLS."),
          _("Check host, port and security. {ports}")),
    Cause(r"does not offer STARTTLS", _("{host} does not offer STARTTLS on port {port}."),
          _("Choose TLS from the start with its port (usually 465). If the provider promises STARTTLS, "
            "something on the way strips it: don't send the password over this network.")),
    Cause(r"can't be decrypted",
          _("The stored password can't be decrypted: its key is not in CREDENTIAL_KEYS."),
          _("Enter the password again, or put the old key back behind the new one.")),
    Cause(r"^auth none .*(does not offer to log in|: 53[08] )", _("{host} lets nobody log in without TLS."),
          _("Choose STARTTLS or TLS from the start.")),
    Cause(r"does not offer to log in", _("{host} offers no log-in on port {port}."),
          _("Check host and port; where the server wants no log-in, leave the user name empty.")),
    Cause(r"offers no way to log in", _("{host} offers no log-in with a password."),
          _("Ask the provider to allow SMTP AUTH with a password (PLAIN or LOGIN). {how_to}")),
    Cause(r"^auth .*beyond ASCII", _("User name or password has a character that this log-in can't carry."),
          _("Enter them again; copied text may hold an invisible character.")),
    Cause(r"^auth .*(53\d 5\.7\.9 |application-specific password)", _("{host} wants an app password."),
          _("Enter an app password instead of the mailbox's own. {how_to}")),
    # https://techcommunity.microsoft.com/t5/exchange-team-blog/-/ba-p/4114750
    Cause(r"^(auth|mail) .*: 5\d\d 5\.7\.30 ", _("Microsoft 365 takes no password for sending any more."),
          _("Ask the administrator to allow basic authentication for SMTP AUTH, or send over another "
            "server: Batchwise does not speak OAuth2.")),
    Cause(r"^auth .*: 535 5\.7\.139 ", _("Microsoft 365 has turned SMTP AUTH off for this mailbox."),
          _("Ask the administrator to allow SMTP AUTH for it.")),
    Cause(r"^auth .*: (4\d\d |5.*" + FOR_A_WHILE + ")", _("{host} takes no log-in just now: {text}"),
          _("Too many log-ins in a short time are the usual cause. Wait an hour, then check again.")),
    Cause(r"^auth .*: 5\d\d ", _("{host} does not accept user name “{username}” with this password."),
          _("Enter the right ones. {how_to}")),
    Cause(r"^connect .*: [45]\d\d ", _("{host} turns this machine away: {text}"),
          _("Wait a while and check again; if it stays, ask the provider whether it blocks this address.")),
    Cause(r"^mail .*: 530 ", _("{host} wants a log-in."),
          _("Enter user name and password. {how_to}")),
    Cause(r"^mail .*: 5\d\d ", _("{host} does not let this account send from its address: {text}."),
          _("Enter the address that belongs to the log-in.")),
    Cause(r"^mail .*: 4\d\d ", _("{host} takes no mail just now: {text}."),
          _("Wait a while, then check again.")),
    Cause(r"", _("{host} broke off ({phase}): {text}."),
          _("Check host, port and security. {ports}")),
)  # fmt: skip


def check_account(account: SmtpAccount, by: str = "") -> Check:
    """Connects, logs in and asks whether the address may send, and sends nothing; finds the Sent folder.

    Takes at most about SMTP_TIMEOUT seconds for each of the two.

    Where that works, an account that was paused until mended sends again, unless it was for what a server
    said later than a check goes; one whose log-in is refused is paused until it is mended.
    """
    return check_accounts([account], by)[0][1]


def check_accounts(accounts: Iterable[SmtpAccount], by: str = "") -> list[tuple[SmtpAccount, Check]]:
    """check_account() for each, several at a time: servers that don't answer share the wait.

    by: who wants to know, for the history of a pause that ends with it.
    """
    accounts = list(accounts)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        checks = list(pool.map(partial(_converse, translation.get_language()), accounts))
    return [(account, _follow(account, check, by)) for account, check in zip(accounts, checks, strict=True)]


def _follow(account: SmtpAccount, check: Check, by: str) -> Check:
    """Lets the account send again, or no more, as the check says."""
    if check.is_refused:
        pause_refused_account(account, f"{check.problem} {check.cure}")
    resumed = check.ok and resume_mended_account(account, by)
    return replace(check, resumed=resumed, rests=_why_it_rests(account) if check.ok else "")


def _why_it_rests(account: SmtpAccount) -> str:
    if not account.is_enabled:
        return str(_("It is disabled."))
    if not account.is_paused:
        return ""
    if account.paused_until:
        return _("It rests until %(at)s.") % {"at": moment(account.paused_until)}
    return str(_("It stays paused for what was refused later on: resume it once that is mended."))


def patience(accounts: int) -> int:
    """Seconds after which a check of so many accounts has said something, however the servers behave."""
    return int(3 * settings.SMTP_TIMEOUT * math.ceil(max(accounts, 1) / AT_A_TIME))


def _converse(language: str, account: SmtpAccount) -> Check:
    """The part that waits for the servers; it asks no database, for it runs in a thread of its own."""
    with translation.override(language):
        return _try(account)


def _try(account: SmtpAccount) -> Check:
    check = _try_smtp(account)
    if not account.imap_host:
        return check
    try:
        return replace(
            check, sent_folder="”, “".join(map(one_line, find_folders(account, settings.SMTP_TIMEOUT)))
        )
    except MailboxFailure as failure:
        return replace(check, unread=str(failure))


def _try_smtp(account: SmtpAccount) -> Check:
    connection = SmtpConnection(account, timeout=settings.SMTP_TIMEOUT / timeouts.OPENING)
    try:
        connection.open()
        connection.try_sender(account.email)
    except SmtpFailure as failure:
        return explain(account, _looked_into(account, failure))
    finally:
        connection.close()
    return Check(ok=True)


def _looked_into(account: SmtpAccount, failure: SmtpFailure) -> SmtpFailure:
    """The failure; where a server did not greet, whether it waits for TLS."""
    is_silent = failure.code is None and re.search("took too long|closed the connection", failure.text)
    if failure.phase != Phase.CONNECT or account.security == Security.TLS or not is_silent:
        return failure
    if not speaks_tls(account.host, account.port, min(TLS_TIMEOUT, settings.SMTP_TIMEOUT)):
        return failure
    return SmtpFailure(Phase.CONNECT, SPEAKS_TLS)


def explain(account: SmtpAccount, failure: SmtpFailure) -> Check:
    """What this failure means for this account, and what mends it. Pure."""
    reply = as_said(failure.code, failure.enhanced_code, failure.text)
    case = f"{failure.phase} {account.security} {account.port}: {reply}"
    cause = next(cause for cause in CAUSES if re.search(cause.pattern, case, re.IGNORECASE))
    preset = PRESETS.get(account.provider)
    words = {
        "host": account.host,
        "port": account.port,
        "username": account.username,
        "phase": failure.phase.label,
        "text": reply,
        "how_to": preset.how_to if preset else "",
        "ports": CHECK_PORTS,
    }
    problem, cure = (str(said).format(**words).strip() for said in (cause.problem, cause.cure))
    is_refused = failure.phase == Phase.AUTH and failure.code is not None and failure.code >= 500
    if re.search(FOR_A_WHILE, failure.text, re.IGNORECASE):
        is_refused = False
    return Check(False, failure.phase, problem, cure, is_refused=is_refused)
