"""A campaign's tracking page: how it goes, what to do about it, and where each of its mails is.

For staff who may look at campaigns and at the queue; its buttons for who may send.
"""

from dataclasses import asdict
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    QueryDict,
)
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campaigns import export
from campaigns.models import Campaign
from sending import live, outlook, selection, whereabouts
from sending.exporting.admin import respond
from sending.longwork.showing import told
from sending.models import QueuedEmail
from sending.selection import REPLIES, Selection
from sending.status import OPEN, STATES, queue_status

PERMISSIONS = ("campaigns.view_campaign", "sending.view_queuedemail")
BUTTONS = (
    "pause",
    "resume",
    "cancel",
    "retry",
    "stop",
    "first",
    "last",
)  # the admin's actions of these names
TONES = {"sent": "good", "sending": "busy", "retry": "warning", "uncertain": "warning", "failed": "bad"}


def urls(model_admin: Any) -> list[Any]:
    """The addresses of the page, its buttons and its export, for CampaignAdmin.get_urls."""
    views = (
        ("progress", "progress/", require_safe, progress_view),
        ("act", "progress/act/", require_POST, act_view),
        ("queueing", "progress/queueing/", require_safe, queueing_view),
        ("export", "progress/recipients.csv", require_http_methods(["GET", "POST"]), export_view),
    )

    return [
        path(
            f"<int:pk>/{tail}",
            model_admin.admin_site.admin_view(allowed(partial(view, model_admin))),
            name=f"campaigns_campaign_{name}",
        )
        for name, tail, allowed, view in views
    ]


def progress_view(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """GET: the page; with ?fragment, only its live part, or 304 where it is as the asker knows it."""
    _require(request, PERMISSIONS)
    version = live.version(request)
    if "fragment" not in request.GET:
        context = {**admin.site.each_context(request), **_page(model_admin, request, pk), "version": version}
        return render(request, "admin/campaigns/campaign/progress.html", context)

    def fragment() -> HttpResponse:
        context = _live(model_admin, request, _campaign(pk))
        return render(request, "admin/campaigns/campaign/progress_live.html", context)

    return live.answer(request, version, fragment)


def queueing_view(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """GET: how far a worker is with queueing it; when it has ended, the page is to be loaded anew."""
    _require(request, PERMISSIONS)
    context = _queueing(_campaign(pk))
    if not (context and context["queueing"].is_in_work):
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "admin/campaigns/campaign/queueing.html", context)


def act_view(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """POST: one of the buttons. Its message stands on the page that follows."""
    if not model_admin.has_send_permission(request):
        raise PermissionDenied
    chosen, name = Campaign.objects.filter(pk=_campaign(pk).pk), request.POST.get("act", "")
    if name == "before":
        model_admin.before(request, chosen, request.POST.get("other", ""))
    elif name in BUTTONS:
        getattr(model_admin, name)(request, chosen)
    else:
        raise Http404
    kept = _kept(_asked(pk, QueryDict(request.POST.get("query", ""))))
    return HttpResponseRedirect(_url("progress", pk, kept))


def export_view(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponseBase:
    """What the filter shows, all of it, as a CSV file; POST: by a worker where it is large."""
    _require(request, export.PERMISSIONS)
    campaign, asked = _campaign(pk), _asked(pk, request.GET)
    parts = [slugify(campaign.name) or str(pk), asked.status, asked.reply]
    name = "-".join(part for part in parts if part)
    title = _("Recipients of %s") % campaign
    return respond(request, "recipients", asdict(asked), title=title, filename=f"{name}.csv")


def _require(request: HttpRequest, permissions: tuple[str, ...]) -> None:
    if not request.user.has_perms(permissions):
        raise PermissionDenied


def _campaign(pk: int) -> Campaign:
    campaign = Campaign.objects.filter(pk=pk).first()
    if campaign is None:
        raise Http404
    return campaign


def _asked(pk: int, query: QueryDict) -> Selection:
    """What the address asks for; unknown words ask for nothing."""
    status, reply = query.get("state", ""), query.get("reply", "")
    return Selection(
        campaign=pk,
        status=status if status in STATES else "",
        reply=reply if reply in REPLIES else "",
        address=query.get("q", "").strip()[:254].replace("\x00", ""),
    )


def _kept(asked: Selection, **others: str) -> str:
    """The filter as the query of an address."""
    query = {"state": asked.status, "reply": asked.reply, "q": asked.address} | others
    return urlencode({name: value for name, value in query.items() if value})


def _url(name: str, pk: int, query: str = "") -> str:
    return reverse(f"admin:campaigns_campaign_{name}", args=[pk]) + (f"?{query}" if query else "")


def _page(model_admin: Any, request: HttpRequest, pk: int) -> dict[str, Any]:
    campaign, asked = _campaign(pk), _asked(pk, request.GET)
    place = {name: request.GET.get(name, "") for name in ("after", "before")}
    status = queue_status()
    moving = [one for one in status["campaigns"] if one["status"] in ("sending", "paused")]
    return {
        **_live(model_admin, request, campaign, status),
        **_queueing(campaign),
        "title": campaign.name,
        "opts": Campaign._meta,
        "act_url": _url("act", pk),
        "live_url": _url("progress", pk, _kept(asked, fragment="1", **place)),
        "others": [one for one in moving if one["id"] != pk],
        "is_movable": any(one["id"] == pk for one in moving),
    }


def _queueing(campaign: Campaign) -> dict[str, Any]:
    """What a worker does, or did last, to queue it; nothing where the campaign was queued at once."""
    last = campaign.queueings.first()
    return {"queueing": last, "work": told(last)} if last else {}


def _live(
    model_admin: Any, request: HttpRequest, campaign: Campaign, status: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What changes while it is looked at."""
    status = status or queue_status()
    entry = next(one for one in status["campaigns"] if one["id"] == campaign.pk)
    asked = _asked(campaign.pk, request.GET)
    page = selection.page(asked, after=request.GET.get("after", ""), before=request.GET.get("before", ""))
    return {
        "campaign": campaign,
        "entry": outlook.of([entry], status, timezone.localtime())[0],
        "alive": status["alive"],
        "may_send": model_admin.has_send_permission(request),
        "counts": _counts(entry, asked),
        "asked": asked,
        "query": _kept(asked),
        "rows": [
            {"told": one, "tone": TONES.get(one.mail.status, "")}
            for one in whereabouts.tell(page.mails, status, entry)
        ],
        "total": None if asked.reply or asked.address else _total(entry, asked),
        "replies": REPLIES.items(),
        "all_url": _url("progress", campaign.pk, _kept(Selection(campaign.pk, status=asked.status))),
        "first_url": _url("progress", campaign.pk, _kept(asked)),
        "previous_url": page.previous and _url("progress", campaign.pk, _kept(asked, before=page.previous)),
        "next_url": page.next and _url("progress", campaign.pk, _kept(asked, after=page.next)),
        "export_url": request.user.has_perms(export.PERMISSIONS)
        and _url("export", campaign.pk, _kept(asked)),
    }


def _total(entry: dict[str, Any], asked: Selection) -> int:
    return entry[asked.status] if asked.status else sum(entry[state] for state in STATES)


def _counts(entry: dict[str, Any], asked: Selection) -> list[dict[str, Any]]:
    """How many mails are in each state, each with the address that shows them."""
    everything = Selection(asked.campaign, address=asked.address)
    shown = [("", _("All"), _total(entry, everything))]
    shown += [(one.value, str(one.label), entry[one.value]) for one in QueuedEmail.Status]
    return [
        {
            "label": label,
            "count": count,
            "tone": TONES.get(state, "") if count and state not in ("sent", *OPEN[:2]) else "",
            "url": _url(
                "progress", asked.campaign, _kept(Selection(asked.campaign, state, "", asked.address))
            ),
            "is_current": state == asked.status,
        }
        for state, label, count in shown
        if count or state in ("", "pending", "sending", "sent", "failed", asked.status)
    ]
