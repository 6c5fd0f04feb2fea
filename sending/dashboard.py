"""The dashboard: how sending stands, at a glance, for staff. The admin's front page."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.actions import resume_account
from accounts.models import SmtpAccount
from sending import batch_words, capacity, last_hours, live, outlook
from sending.campaign import contact_model
from sending.life_signs import last_sign
from sending.status import OPEN, STATES, last_batches, queue_status

# The page shows what these let one see elsewhere.
PERMISSIONS = ("sending.view_queuedemail", "campaigns.view_campaign", "accounts.view_smtpaccount")
MOST_CAMPAIGNS = 30  # those that move and, after them, the latest ones


def front_page(request: HttpRequest) -> HttpResponse:
    """GET /admin/: the dashboard, or all tables for who may not see so much."""
    return dashboard(request) if request.user.has_perms(PERMISSIONS) else admin.site.index(request)


def dashboard(request: HttpRequest) -> HttpResponse:
    """GET: the page; with ?fragment, only its figures, or 304 where they are as the asker knows them."""
    if not request.user.has_perms(PERMISSIONS):
        raise PermissionDenied
    version = live.version(request)
    if "fragment" not in request.GET:
        page = {**admin.site.each_context(request), "title": _("Dashboard"), "version": version}
        return render(request, "admin/dashboard.html", {**page, **_figures(request)})
    return live.answer(
        request, version, lambda: render(request, "admin/dashboard_figures.html", _figures(request))
    )


@require_POST
def resume(request: HttpRequest, account_id: int) -> HttpResponse:
    """POST: lets a paused account send again, for who may change accounts; Django's history keeps it."""
    account = get_object_or_404(SmtpAccount, pk=account_id)
    if not _may_resume(request):
        raise PermissionDenied
    resume_account(account.pk, by=request.user.get_username())
    LogEntry.objects.log_actions(request.user.pk or 0, [account], CHANGE, _("Resumed"), single_object=True)
    messages.success(request, _("“%(account)s” sends again.") % {"account": account})
    return redirect("admin:index")


def _may_resume(request: HttpRequest) -> bool:
    return request.user.has_perm("accounts.change_smtpaccount")


def _figures(request: HttpRequest) -> dict[str, Any]:
    status = queue_status()
    batches = last_batches()
    is_first_run = not (status["accounts"] and batches)
    now = timezone.localtime()
    history = last_hours.history(now)
    enabled = [account for account in status["accounts"] if account["state"] != "disabled"]
    return {
        "status": status,
        "sent_today": capacity.handed_over_since(now.replace(hour=0, minute=0, second=0, microsecond=0)),
        "capacity": sum(account["limit"] for account in enabled),
        "heartbeat": last_sign(),
        "accounts": [outlook.with_words(account) for account in status["accounts"]],
        "campaigns": _shown(status, now),
        "hidden_campaigns": max(0, len(status["campaigns"]) - MOST_CAMPAIGNS),
        "history": history,
        "batches": [(batch, batch_words.clauses(batch, batch.size)) for batch in batches],
        "remaining": batch_words.told_remaining(status["pending"] + status["retry"]),
        "is_first_run": is_first_run,
        "has_contacts": is_first_run and contact_model().objects.exists(),
        "has_queued": any(status[state] for state in STATES),
        "may_resume": _may_resume(request),
    }


def _shown(status: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    """Those with mail that moves in the order of sending, then the others, latest first."""
    moving = [c for c in status["campaigns"] if any(c[state] for state in OPEN)]
    others = [c for c in reversed(status["campaigns"]) if not any(c[state] for state in OPEN)]
    return outlook.of((moving + others)[:MOST_CAMPAIGNS], status, now)
