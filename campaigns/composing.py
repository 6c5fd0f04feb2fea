"""Letters for queue rows: the composer that settings.SENDING_COMPOSER names."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from liquid.template import BoundTemplate

from campaigns import templating
from campaigns.models import Attachment, Campaign, Contact
from campaigns.plain_text import text_from_html
from campaigns.templating import TemplateError
from sending.composer import ComposeError, Enclosure, Letter
from sending.models import QueuedEmail

GONE = _lazy("The contact was deleted before the mail was sent.")
PARTS = {"subject": _lazy("subject"), "html": _lazy("HTML"), "text": _lazy("text")}


@dataclass(frozen=True)
class _Draft:
    """A campaign's message, parsed once for all its rows; text is None where HTML makes it."""

    subject: BoundTemplate
    html: BoundTemplate
    text: BoundTemplate | None
    enclosures: tuple[Enclosure, ...] = ()


def compose(queued_emails: Sequence[QueuedEmail]) -> Mapping[int, Letter | ComposeError]:
    """The letter of each queue row, by id, or why it can't be made: see sending.composer.

    Three queries (campaigns, attachments, contacts), however many rows.
    """
    drafts = _drafts({row.campaign_id for row in queued_emails})
    contacts = Contact.objects.in_bulk({row.contact_id for row in queued_emails if row.contact_id})
    return {
        row.pk: _letter(drafts[row.campaign_id], contacts.get(row.contact_id or 0), row.email)
        for row in queued_emails
    }


def compose_for(campaign: Campaign, contact: Contact, *, files: bool = False) -> Letter | ComposeError:
    """The letter that this contact would get, of the campaign as it is in memory.

    files: with the attachments that are stored, which a preview does without.
    """
    enclosures = _enclosures({campaign.pk})[campaign.pk] if files and campaign.pk else ()
    return _letter(_parsed(campaign, enclosures), contact, contact.email)


def values(contact: Contact, email: str) -> dict[str, object]:
    """What templates may use of a contact: plain JSON values only.

    email is the address that the mail goes to, fixed when it was queued.
    """
    return {**_attributes(contact), "email": email, "name": contact.name}


def _drafts(campaign_ids: set[int]) -> dict[int, _Draft | ComposeError]:
    enclosures = _enclosures(campaign_ids)
    campaigns = Campaign.objects.in_bulk(campaign_ids)
    return {pk: _parsed(campaign, enclosures[pk]) for pk, campaign in campaigns.items()}


def _enclosures(campaign_ids: set[int]) -> dict[int, list[Enclosure]]:
    found: dict[int, list[Enclosure]] = defaultdict(list)
    for one in Attachment.objects.filter(campaign__in=campaign_ids):
        found[one.campaign_id].append(Enclosure(one.filename, one.content_type, bytes(one.content)))
    return found


def _parsed(campaign: Campaign, enclosures: Iterable[Enclosure]) -> _Draft | ComposeError:
    part = "subject"
    try:
        subject = templating.parse(campaign.subject)
        part = "html"
        html = templating.parse(campaign.html, html=True)
        part = "text"
        text = templating.parse(campaign.text) if campaign.text.strip() else None
    except TemplateError as error:
        return ComposeError(_mistake(part, error))
    return _Draft(subject, html, text, tuple(enclosures))


def _letter(draft: _Draft | ComposeError, contact: Contact | None, email: str) -> Letter | ComposeError:
    if isinstance(draft, ComposeError):
        return draft
    if contact is None:
        return ComposeError(GONE)
    merge = values(contact, email)
    part = "subject"
    try:
        subject = templating.render(draft.subject, merge)
        part = "html"
        html = templating.render(draft.html, merge)
        part = "text"
        text = text_from_html(html) if draft.text is None else templating.render(draft.text, merge)
    except TemplateError as error:
        return ComposeError(
            _("The %(part)s can't be made for this contact: %(error)s")
            % {"part": PARTS[part], "error": error}
        )
    except RecursionError:
        return ComposeError(_("The text can't be made from the HTML: it is nested too deeply."))
    return Letter(subject, text, html, to_name=_to_name(contact), enclosures=draft.enclosures)


def _mistake(part: str, error: TemplateError) -> str:
    told = {"part": PARTS[part], "line": error.line, "reason": error.reason}
    if error.line is None:
        return _("The campaign's %(part)s has a mistake: %(reason)s") % told
    return _("The campaign's %(part)s has a mistake in line %(line)s: %(reason)s") % told


def _to_name(contact: Contact) -> str:
    """The name beside the To address; from the imported parts where there is no whole name."""
    attributes = _attributes(contact)
    parts = (attributes.get(field) for field in ("first_name", "last_name"))
    return contact.name or " ".join(part for part in parts if isinstance(part, str) and part)


def _attributes(contact: Contact) -> dict[str, object]:
    """Its merge fields; none where the column holds other JSON, which it can but should not."""
    return contact.attributes if isinstance(contact.attributes, dict) else {}
