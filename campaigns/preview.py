"""The live preview beside a campaign's form: what a contact will read of what stands in the form now.

Nothing is saved. The HTML part comes as a document of its own, for a sandboxed frame: it may look as
it likes, as in a mail program, but runs no script and belongs to no origin.
"""

from functools import partial
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import path
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST

from campaigns import composing, merge_fields
from campaigns.models import Campaign, Contact
from sending.composer import ComposeError, Letter

MESSAGE_FIELDS = ("subject", "html", "text")
# A letter has inline styles and pictures from anywhere, as a mail program shows them. It gets no script
# and, by `sandbox`, no origin: not even opened on its own can it reach the session of who looks at it.
LETTER_POLICY = {
    "default-src": [NONE],
    "style-src": [UNSAFE_INLINE],
    "img-src": ["https:", "http:", "data:"],
    "frame-ancestors": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
    "sandbox": True,
}


def urls(model_admin: Any) -> list[Any]:
    """The addresses that the page's script asks, for CampaignAdmin.get_urls."""
    letter: Any = partial(letter_view, model_admin)
    letter = csp(LETTER_POLICY)(xframe_options_sameorigin(letter))
    views: dict[str, Any] = {
        "preview": partial(head_view, model_admin),
        "letter": letter,
        "fields": partial(fields_view, model_admin),
    }
    return [
        path(
            f"{name}/",
            model_admin.admin_site.admin_view(require_POST(view)),
            name=f"campaigns_campaign_{name}",
        )
        for name, view in views.items()
    ]


def may_see_letters(request: HttpRequest) -> bool:
    """A letter shows what is stored of a contact."""
    return request.user.has_perm("campaigns.view_contact")


def head_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """POST the form, with contact (an id) or find (the beginning of an address).

    Answers with whom it goes to, its subject and text and what is empty in it, or why it can't be made.
    """
    _check_permission(model_admin, request)
    contacts = recipients(model_admin, request)
    contact = chosen(contacts, request.POST)
    letter = _letter(model_admin, request, contact)
    lacking = merge_fields.lacking(typed(model_admin, request), contact) if contact else []
    return render(
        request,
        "admin/campaigns/campaign/preview_head.html",
        {
            "contact": contact,
            "sought": sought(request.POST),
            "letter": letter if isinstance(letter, Letter) else None,
            "lacking": ", ".join(lacking),
            "problem": letter if isinstance(letter, ComposeError) else "",
            "earlier": contacts.filter(pk__lt=contact.pk).order_by("-pk").first() if contact else None,
            "later": contacts.filter(pk__gt=contact.pk).order_by("pk").first() if contact else None,
        },
    )


def letter_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """The same POST; answers with the HTML part alone, empty where there is none."""
    _check_permission(model_admin, request)
    contact = chosen(recipients(model_admin, request), request.POST)
    letter = _letter(model_admin, request, contact)
    return HttpResponse(letter.html if isinstance(letter, Letter) else "")


def fields_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """POST the form; answers with the merge fields of its lists' contacts, and how many lack each."""
    _check_permission(model_admin, request)
    available = merge_fields.available(_lists(model_admin, request))
    return render(request, "admin/campaigns/campaign/merge_fields.html", {"available": available})


# --- What stands in the form ---


def typed(model_admin: Any, request: HttpRequest) -> Campaign:
    """The campaign with the message as it is typed, not to be saved; the saved message where the user may
    not write it, or nobody may any more."""
    campaign = _saved(request) or Campaign()
    if _may_write(model_admin, request, campaign) and campaign.is_editable:
        for part in MESSAGE_FIELDS:
            setattr(campaign, part, request.POST.get(part, getattr(campaign, part)))
    return campaign


def recipients(model_admin: Any, request: HttpRequest) -> QuerySet[Contact]:
    """The contacts of the lists that are chosen in the form."""
    members = Contact.lists.through.objects.filter(contactlist__in=_lists(model_admin, request))
    return Contact.objects.filter(pk__in=members.values("contact_id"))


def chosen(contacts: QuerySet[Contact], posted: QueryDict) -> Contact | None:
    """The contact of this address, or of the first that begins so; else the one of this id, or the first."""
    if address := sought(posted):
        found = contacts.alias(address=Lower("email")).filter(address__startswith=address)
        return found.order_by("address").first()
    wanted, ordered = posted.get("contact", ""), contacts.order_by("pk")
    one = ordered.filter(pk=int(wanted)).first() if wanted.isdecimal() else None
    return one or ordered.first()


def sought(posted: QueryDict) -> str:
    """The address, or its beginning, that is looked for."""
    return posted.get("find", "").strip().lower().replace("\x00", "")


def _saved(request: HttpRequest) -> Campaign | None:
    pk = request.POST.get("campaign", "")
    return Campaign.objects.filter(pk=int(pk)).first() if pk.isdecimal() else None


def _lists(model_admin: Any, request: HttpRequest) -> list[int]:
    """The lists (ids) that are chosen in the form; where it can't choose them, those of the campaign."""
    campaign = _saved(request)
    if campaign and (campaign.status != Campaign.Status.DRAFT or "lists_chosen" not in request.POST):
        return list(campaign.lists.values_list("pk", flat=True))
    return [int(pk) for pk in request.POST.getlist("lists") if pk.isdecimal()]


def _may_write(model_admin: Any, request: HttpRequest, campaign: Campaign) -> bool:
    if campaign.pk:
        return model_admin.has_change_permission(request, campaign)
    return model_admin.has_add_permission(request)


def _check_permission(model_admin: Any, request: HttpRequest) -> None:
    if not (model_admin.has_view_permission(request) and may_see_letters(request)):
        raise PermissionDenied


def _letter(model_admin: Any, request: HttpRequest, contact: Contact | None) -> Letter | ComposeError | None:
    return composing.compose_for(typed(model_admin, request), contact) if contact else None
