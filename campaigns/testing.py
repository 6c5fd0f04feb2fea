"""The button “Send test” beside a campaign's form: what stands in the form now, to one address."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import SmtpAccount
from campaigns import composing, preview
from campaigns.models import Campaign
from sending import capacity
from sending.composer import ComposeError
from sending.testmail import Refused, Told, send_test


def urls(model_admin: Any) -> list[Any]:
    """The address of the button, for CampaignAdmin.get_urls."""
    view = require_POST(partial(test_view, model_admin))
    return [path("test/", model_admin.admin_site.admin_view(view), name="campaigns_campaign_test")]


def may_test(model_admin: Any, request: HttpRequest) -> bool:
    """Whether the user may send a test: who may send, and see what is stored of a contact."""
    return model_admin.has_send_permission(request) and preview.may_see_letters(request)


@dataclass(frozen=True)
class Choice:
    """An account to send a test over; trouble: why it can't send now, in a word or two, or ""."""

    account: SmtpAccount
    trouble: str


def choices(campaign: Campaign) -> list[Choice]:
    """The enabled accounts: those that can send now first, and of these the campaign's own."""
    own = set(campaign.accounts.values_list("pk", flat=True))
    enabled = list(SmtpAccount.objects.filter(is_enabled=True))
    known = capacity.look(account.pk for account in enabled)
    found = [Choice(account, _trouble(account, known[account.pk])) for account in enabled]
    return sorted(found, key=lambda choice: (bool(choice.trouble), choice.account.pk not in own))


def _trouble(account: SmtpAccount, known: capacity.Capacity) -> str:
    if account.is_paused:
        return _("paused")
    return "" if known.left else _("limit reached")


def test_view(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """POST the form, with contact, account (ids) and to; answers with what became of it, in words."""
    if not may_test(model_admin, request):
        raise PermissionDenied
    campaign = preview.typed(model_admin, request)
    if campaign.pk is None or not model_admin.has_view_permission(request, campaign):
        raise Http404
    told = _send(model_admin, request, campaign)
    return render(request, "admin/campaigns/campaign/tested.html", {"told": told})


def _send(model_admin: Any, request: HttpRequest, campaign: Campaign) -> Told:
    contact = preview.chosen(preview.recipients(model_admin, request), request.POST)
    if contact is None:
        return Told("bad", _("Choose a list with contacts: the test is made for one of them."), "")
    letter = composing.compose_for(campaign, contact, files=True)
    if isinstance(letter, ComposeError):
        return Told("bad", _("Not sent: %s") % letter, "")
    account = request.POST.get("account", "")
    try:
        told = send_test(
            letter,
            int(account) if account.isdecimal() else 0,
            request.POST.get("to", ""),
            campaign=campaign.pk,
            user=request.user,
        )
    except Refused as refusal:
        return Told("bad", str(refusal), "")
    model_admin.log_change(request, campaign, _("Test email: %s") % (told.said or _("no answer")))
    return told
