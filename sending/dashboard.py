"""The dashboard: how sending stands, at a glance, for staff."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from sending.status import OPEN, STATES, last_batches, last_sign, queue_status, sent_today

# The page shows what these let one see elsewhere.
PERMISSIONS = ("sending.view_queuedemail", "campaigns.view_campaign", "accounts.view_smtpaccount")
MOST_CAMPAIGNS = 30  # those that move and, after them, the latest ones
ENDED = tuple(state for state in STATES if state not in OPEN)


def dashboard(request: HttpRequest) -> HttpResponse:
    """GET /admin/dashboard/: the page; with ?fragment, only its figures, for the page's refresh."""
    if not request.user.has_perms(PERMISSIONS):
        raise PermissionDenied
    figures = _figures()
    if "fragment" in request.GET:
        return render(request, "admin/dashboard_figures.html", figures)
    page = {**admin.site.each_context(request), "title": "Dashboard", **figures}
    return render(request, "admin/dashboard.html", page)


def _figures() -> dict[str, Any]:
    status = queue_status()
    batches = last_batches()
    return {
        "status": status,
        "sent_today": sent_today(),
        "heartbeat": last_sign(),
        "campaigns": _shown(status["campaigns"]),
        "hidden_campaigns": max(0, len(status["campaigns"]) - MOST_CAMPAIGNS),
        "batches": batches,
        "queue_remaining": status["pending"] + status["retry"],
        "is_first_run": not (status["accounts"] and batches),
        "has_queued": any(status[state] for state in STATES),
        "now": timezone.localtime(),
    }


def _shown(campaigns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those with mail that moves in the order of sending, then the others, latest first."""
    moving = [c for c in campaigns if any(c[state] for state in OPEN)]
    others = [c for c in reversed(campaigns) if not any(c[state] for state in OPEN)]
    return [_with_progress(c) for c in (moving + others)[:MOST_CAMPAIGNS]]


def _with_progress(campaign: dict[str, Any]) -> dict[str, Any]:
    done, total = sum(campaign[s] for s in ENDED), sum(campaign[s] for s in STATES)
    percent = 100 * done // total if total else 0
    return {**campaign, "done": done, "open": total - done, "total": total, "percent": percent}
