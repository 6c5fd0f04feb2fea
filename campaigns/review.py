"""The page before a campaign is sent: who gets it, what would go wrong, when it is done; then one button."""

import hashlib
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.checking import check_accounts, patience
from accounts.models import SmtpAccount
from campaigns import preflight
from campaigns.models import Campaign
from campaigns.preflight import Finding, Level, Preflight
from campaigns.tracking import PERMISSIONS as TRACKING_PERMISSIONS
from sending import foresight

# What a finding's level is called, and the tone of its chip.
LEVELS = {
    Level.BLOCKER: (_lazy("Must be mended"), "bad"),
    Level.WARNING: (_lazy("Look at this"), "warning"),
    Level.FINE: (_lazy("Fine"), "good"),
}
FINDINGS = "admin/campaigns/campaign/findings.html"
ANSWERS = "log_ins"  # in the session
FRESH = 600  # seconds for which an answer holds
MOST_DAYS = 21  # in the chart; a longer one says nothing more


def urls(model_admin: Any) -> list[Any]:
    """The addresses of the page, for CampaignAdmin.get_urls."""
    review: Any = require_http_methods(["GET", "HEAD", "POST"])(partial(review_view, model_admin))
    log_ins: Any = require_POST(partial(log_ins_view, model_admin))
    guard = model_admin.admin_site.admin_view
    return [
        path("<int:pk>/review/", guard(review), name="campaigns_campaign_review"),
        path("<int:pk>/review/log-ins/", guard(log_ins), name="campaigns_campaign_log_ins"),
    ]


def url_of(campaign: Campaign) -> str:
    """Where the page of a campaign is."""
    return reverse("admin:campaigns_campaign_review", args=[campaign.pk])


def review_view(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """GET shows what would be sent; POST queues it, for who may send, where it is still what was shown."""
    campaign = Campaign.objects.filter(pk=pk).first()
    if campaign is None:
        raise Http404
    if not model_admin.has_view_permission(request, campaign):
        raise PermissionDenied
    if request.method == "POST":
        return _send(model_admin, request, campaign)
    return render(request, "admin/campaigns/campaign/review.html", _page(model_admin, request, campaign))


def log_ins_view(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """POST: logs in to the accounts of which that is not known, for who may send; a part of the page."""
    campaign = get_object_or_404(Campaign, pk=pk)
    if not model_admin.has_send_permission(request):
        raise PermissionDenied
    accounts = preflight.unproven_accounts(campaign)
    answers = _answers(request, accounts)
    log_ins = [(account, *answers[_connection(account)][1:]) for account in accounts]
    return render(request, FINDINGS, {"findings": _told(preflight.log_ins(log_ins))})


def _answers(request: HttpRequest, accounts: list[SmtpAccount]) -> dict[str, Any]:
    """What these accounts answer, or have answered this person lately: providers mind many log-ins.

    By the account's connection, so that one that was mended is asked again: [when, whether it works, text].
    """
    old = request.session.get(ANSWERS, {})
    answers = {key: answer for key, answer in old.items() if answer[0] > time.time() - FRESH}
    new = [account for account in accounts if _connection(account) not in answers]
    for account, check in check_accounts(new, by=request.user.get_username()):
        answers[_connection(account)] = [time.time(), check.ok, str(check)]
    request.session[ANSWERS] = answers
    return answers


def _connection(account: SmtpAccount) -> str:
    parts = account.pk, account.email, account.host, account.port, account.security, account.username
    return hashlib.sha256(repr((*parts, account.password.ciphertext)).encode()).hexdigest()


def _send(model_admin: Any, request: HttpRequest, campaign: Campaign) -> HttpResponse:
    if not model_admin.has_send_permission(request):
        raise PermissionDenied
    problem = ""
    with transaction.atomic():
        campaign = Campaign.objects.select_for_update(of=("self",)).get(pk=campaign.pk)
        if request.POST.get("seen") != version(campaign):
            problem = _("It was changed, or sent, after you looked: look again.")
        elif not preflight.preflight(campaign).is_ready:
            problem = _("Something has to be mended first: see below.")
        else:
            model_admin.send(request, Campaign.objects.filter(pk=campaign.pk))
    if problem:
        model_admin.message_user(request, problem, messages.ERROR)
        return HttpResponseRedirect(url_of(campaign))
    page = "progress" if request.user.has_perms(TRACKING_PERMISSIONS) else "change"
    return HttpResponseRedirect(reverse(f"admin:campaigns_campaign_{page}", args=[campaign.pk]))


def version(campaign: Campaign) -> str:
    """A word that differs whenever what the campaign says, to which lists, over which accounts, does."""
    parts = [
        str(campaign.status), campaign.subject, campaign.html, campaign.text, campaign.scheduled_at,
        *(sorted(many.values_list("pk", flat=True))
          for many in (campaign.lists, campaign.accounts, campaign.attachments)),
    ]  # fmt: skip
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _page(model_admin: Any, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    seen = version(campaign)  # before all else: a change meanwhile is then told
    found = preflight.preflight(campaign)
    may_send = model_admin.has_send_permission(request)
    unproven = preflight.unproven_accounts(campaign) if may_send else []
    return {
        **model_admin.admin_site.each_context(request),
        "title": _("Review before sending"),
        "opts": model_admin.opts,
        "campaign": campaign,
        "seen": seen,
        "preflight": found,
        "findings": _told(found.findings),
        "unproven": unproven,
        "patience": patience(len(unproven)),
        "may_send": may_send,
        "may_change": model_admin.has_change_permission(request, campaign),
        "attached": campaign.attachments.defer("content"),
        "may_be_queued": campaign.status in (Campaign.Status.DRAFT, Campaign.Status.SENDING),
        **_forecast(campaign, found),
    }


def _told(findings: Iterable[Finding]) -> list[tuple[Any, str, str]]:
    return [(*LEVELS[one.level], one.text) for one in findings]


def _forecast(campaign: Campaign, found: Preflight) -> dict[str, Any]:
    if not found.recipients.new:
        return {}
    foreseen = foresight.look(campaign.pk, found.recipients.new, timezone.localtime())
    return {
        "foreseen": foreseen,
        "days": foreseen.days[:MOST_DAYS],
        "later_days": foreseen.days[MOST_DAYS:],
        "later_mails": sum(day.own for day in foreseen.days[MOST_DAYS:]),
    }
