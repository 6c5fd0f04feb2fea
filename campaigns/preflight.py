"""What to know before a campaign is sent: who gets it, and what would go wrong or look wrong."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.db.models import Exists, OuterRef
from django.db.models.functions import Length, Now
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import SmtpAccount
from accounts.querysets import SmtpAccountQuerySet
from accounts.words import moment, number
from campaigns import composing, merge_fields
from campaigns.models import Attachment, Campaign, Contact
from campaigns.recipients import Recipients, count_recipients
from sending.composer import ComposeError, Letter
from sending.messages import build_message
from sending.models import SendLog

# Gmail shows the first 102 KB of a message and a link to the rest.
GMAIL_CLIPS_AT = 102 * 1024
# Gmail (https://support.google.com/mail/answer/6584) and most others take no larger message.
LARGEST_MESSAGE = 25 * 1024 * 1024
PROVEN_FOR = timedelta(hours=24)  # an account that sent a mail since can log in
_INSECURE = re.compile(r"""(?:href|src)\s*=\s*["']?\s*(http://[^"'\s>]+)""", re.IGNORECASE)
_UNSUBSCRIBE = re.compile(r"unsubscribe|opt[- ]?out|abmelden|abbestellen|désabonner|desuscrib", re.IGNORECASE)


class Level(StrEnum):
    """How much a finding weighs: it can't be sent so, look at it, or all is well."""

    BLOCKER = "blocker"
    WARNING = "warning"
    FINE = "fine"


@dataclass(frozen=True)
class Finding:
    """One sentence about the campaign as it stands."""

    level: Level
    text: str


@dataclass(frozen=True)
class Preflight:
    """recipients, and the findings in the order in which they matter."""

    recipients: Recipients
    findings: list[Finding]

    @property
    def is_ready(self) -> bool:
        """Whether nothing stands in the way of sending."""
        return not any(finding.level == Level.BLOCKER for finding in self.findings)


def preflight(campaign: Campaign) -> Preflight:
    """Looks at a saved campaign; changes nothing, and costs a constant number of queries."""
    recipients = count_recipients(campaign.pk)
    findings = [*_recipients(recipients), *_accounts(campaign), *_message(campaign)]
    order = list(Level)
    return Preflight(recipients, sorted(findings, key=lambda finding: order.index(finding.level)))


def _recipients(found: Recipients) -> Iterator[Finding]:
    if not found.contacts:
        yield Finding(Level.BLOCKER, _("Nobody is on its lists: choose a list with contacts."))
        return
    if not found.new:
        text = _("Nobody new: everybody on its lists was queued before, or is suppressed.")
        yield Finding(Level.BLOCKER, text)
    else:
        text = ngettext("%(count)s email will be queued.", "%(count)s emails will be queued.", found.new)
        yield Finding(Level.FINE, text % {"count": number(found.new)})
    for count, text in (
        (
            found.suppressed,
            ngettext(
                "%(count)s contact is suppressed and gets nothing.",
                "%(count)s contacts are suppressed and get nothing.",
                found.suppressed,
            ),
        ),
        (
            found.queued,
            ngettext(
                "%(count)s contact was queued before and gets it once.",
                "%(count)s contacts were queued before and get it once.",
                found.queued,
            ),
        ),
        (
            found.repeated,
            ngettext(
                "%(count)s entry is on more than one list and counts once.",
                "%(count)s entries are on more than one list and count once.",
                found.repeated,
            ),
        ),
    ):
        if count:
            yield Finding(Level.FINE, text % {"count": number(count)})


def unproven_accounts(campaign: Campaign) -> list[SmtpAccount]:
    """The campaign's usable accounts that have sent nothing lately: whether they can log in is not known."""
    lately = SendLog.objects.filter(account=OuterRef("pk"), outcome=SendLog.Outcome.SENT)
    unproven = ~Exists(lately.filter(at__gt=Now() - PROVEN_FOR))
    return list(_chosen(campaign).usable().filter(unproven))


def log_ins(checks: Iterable[tuple[SmtpAccount, bool, str]]) -> Iterator[Finding]:
    """What checks of their connections say of accounts: whether each works, and the text."""
    fine = 0
    for account, works, text in checks:
        if not works:
            yield Finding(Level.WARNING, f"{account}: {text}")
        fine += works
    if fine:
        text = ngettext("%(count)s account can log in.", "%(count)s accounts can log in.", fine)
        yield Finding(Level.FINE, text % {"count": number(fine)})


def _chosen(campaign: Campaign) -> SmtpAccountQuerySet:
    """Its accounts: all where none is chosen."""
    has_own = campaign.accounts.exists()
    return SmtpAccount.objects.filter(campaigns=campaign) if has_own else SmtpAccount.objects.all()


def _accounts(campaign: Campaign) -> Iterator[Finding]:
    enabled = [account for account in _chosen(campaign) if account.is_enabled]
    if not enabled:
        yield Finding(Level.BLOCKER, _("No account can send it: add an account, or enable one."))
        return
    broken = [account for account in enabled if account.is_paused and account.paused_until is None]
    resting = [account for account in enabled if account.is_paused and account.paused_until]
    for account in broken:
        text = _("%(account)s can't send until it is mended: %(reason)s")
        yield Finding(Level.WARNING, text % {"account": account, "reason": account.pause_reason})
    for account in resting:
        assert account.paused_until is not None
        text = _("%(account)s rests until %(until)s: %(reason)s")
        told = {"account": account, "until": moment(account.paused_until), "reason": account.pause_reason}
        yield Finding(Level.WARNING, text % told)
    working = len(enabled) - len(broken)
    if not working:
        yield Finding(Level.BLOCKER, _("No account can send it now: mend one, then check its connection."))
        return
    text = ngettext("%(count)s account can send it.", "%(count)s accounts can send it.", working)
    yield Finding(Level.FINE, text % {"count": number(working)})


def _message(campaign: Campaign) -> Iterator[Finding]:
    for note in merge_fields.notes(campaign):
        yield Finding(Level.WARNING, note)
    contact = Contact.objects.filter(lists__campaigns=campaign).order_by("id").first()
    letter = composing.compose_for(campaign, contact) if contact else None
    if isinstance(letter, ComposeError):
        yield Finding(Level.BLOCKER, str(letter))
    elif letter:
        yield from _letter(campaign, letter)


def _letter(campaign: Campaign, letter: Letter) -> Iterator[Finding]:
    if not letter.subject.strip():
        yield Finding(Level.WARNING, _("The first contact's mail has an empty subject."))
    if not (letter.html.strip() or letter.text.strip()):
        yield Finding(Level.BLOCKER, _("The first contact's mail says nothing."))
    yield _unsubscribe(letter)
    insecure = sorted(set(_INSECURE.findall(letter.html)))
    if insecure:
        text = _("These links are not https, and mail programs warn of them: %(links)s")
        yield Finding(Level.WARNING, text % {"links": _some(insecure)})
    yield _size(campaign, letter)


def _unsubscribe(letter: Letter) -> Finding:
    if _UNSUBSCRIBE.search(letter.html or letter.text):
        return Finding(Level.FINE, _("It says how to unsubscribe."))
    text = _("It does not say how to unsubscribe: Gmail and Yahoo ask for that in mail to many.")
    return Finding(Level.WARNING, text)


def _size(campaign: Campaign, letter: Letter) -> Finding:
    size = _octets(letter) + sum(_attached(campaign))
    told = {"size": filesizeformat(size)}
    if size > LARGEST_MESSAGE:
        text = _("The message has %(size)s: most servers take 25 MB at most. Link to files instead.")
        return Finding(Level.BLOCKER, text % told)
    if len(letter.html.encode()) > GMAIL_CLIPS_AT:
        return Finding(Level.WARNING, _("Its HTML has more than 102 KB: Gmail shows the beginning only."))
    return Finding(Level.FINE, _("The message has %(size)s.") % told)


def _octets(letter: Letter) -> int:
    """Octets of the message without its attachments."""
    try:
        message = build_message(
            letter,
            from_email="sender@example.com",
            from_name="",
            reply_to="",
            to_email="recipient@example.com",
            message_id="<0@example.com>",
            date=timezone.now(),
        )
    except ComposeError:
        return 0
    return len(message)


def _attached(campaign: Campaign) -> Iterator[int]:
    """Octets of each attachment on its way: base64 makes four of three, and ends each line."""
    for size in Attachment.objects.filter(campaign=campaign).values_list(Length("content"), flat=True):
        yield int(size * 4 / 3 * 78 / 76)


def _some(links: list[str], most: int = 3) -> str:
    rest = len(links) - most
    shown = ", ".join(links[:most])
    if rest <= 0:
        return shown
    return _("%(links)s and %(count)s more") % {"links": shown, "count": number(rest)}
