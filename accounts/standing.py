"""How an account stands, and what a check of its connection said, as staff are shown it."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from accounts.checking import Check
from accounts.models import SmtpAccount
from accounts.phases import Phase
from accounts.presets import Security
from accounts.words import moment


@dataclass(frozen=True)
class Standing:
    """tone: as of a chip (templates/partials/chip.html); word: the state; when: until when, if that is
    known; text: why, or what that means."""

    tone: str
    word: str
    when: str
    text: str

    @property
    def lead(self) -> str:
        """The state and until when, for the beginning of a sentence."""
        return f"{self.word} {self.when}:" if self.when else f"{self.word}."


@dataclass(frozen=True)
class Step:
    """One step of a check: what was tried, and the word for how it went."""

    label: str
    tone: str
    word: str


@dataclass(frozen=True)
class Checked:
    """An account with what a check said of it, None where none was made yet."""

    account: SmtpAccount
    standing: Standing
    check: Check | None = None

    @property
    def tone(self) -> str:
        """Of the check's sentence."""
        assert self.check is not None
        if not self.check.ok:
            return "bad"
        return "warning" if self.check.unread or self.check.rests else "good"

    @property
    def is_contradicted(self) -> bool:
        """Whether only the check's word is to be shown: it can't send though nothing held it until then."""
        if self.check is None or self.check.ok:
            return False
        return self.check.is_refused or self.standing.tone == "good"

    @property
    def steps(self) -> list[Step]:
        """The way of the conversation, up to where it broke."""
        return list(_steps(self.account, self.check)) if self.check else []


def of(account: SmtpAccount) -> Standing:
    """Whether mail may go out through it as far as the account itself tells: its limits aside."""
    if not account.is_enabled:
        return Standing("", _("Disabled"), "", _("No mail goes out through it."))
    if not account.is_paused:
        return Standing("good", _("Ready"), "", _("Mail may go out through it, within its limits."))
    if account.paused_until is None:
        return Standing("bad", _("Paused"), _("until resumed"), account.pause_reason)
    until = _("until %(at)s") % {"at": moment(account.paused_until)}
    return Standing("warning", _("Paused"), until, account.pause_reason)


def _steps(account: SmtpAccount, check: Check) -> Iterator[Step]:
    tried = [(Phase.CONNECT, _("Reach the server"))]
    if account.security != Security.NONE:
        tried.append((Phase.TLS, _("Encrypt")))
    if account.username:
        tried.append((Phase.AUTH, _("Log in")))
    tried.append((Phase.MAIL, _("Send from this address")))
    reached = True
    for phase, label in tried:
        if phase == check.phase:
            reached = False
            yield Step(label, "bad", _("failed"))
        else:
            yield Step(label, "good", _("works")) if reached else Step(label, "", _("not tried"))
    if account.imap_host:
        yield Step(
            _("Read the Sent folder"), *(("warning", _("failed")) if check.unread else ("good", _("works")))
        )
