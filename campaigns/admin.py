"""The staff screens of campaigns. What may be done, and when, stands in campaigns.actions."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.columns import moment_column
from accounts.fresh_form import FreshForm
from accounts.words import number
from campaigns import (
    actions,
    attachments,
    merge_fields,
    overview,
    page_form,
    preview,
    querysets,
    queueing,
    review,
    testing,
    tracking,
)
from campaigns import contact_admin as contact_admin  # registers contacts and lists
from campaigns.actions import Refused
from campaigns.attachments import AttachmentInline
from campaigns.deletion import PlainDeletion
from campaigns.models import Campaign
from campaigns.moving import Moving
from campaigns.preview import MESSAGE_FIELDS
from sending.models import QueuedEmail

ACTIONS = ("send", "pause", "resume", "cancel", "retry", "first", "last")
BUTTONS = ("pause", "resume", "cancel", "retry", "stop")  # of the page; sending has a page of its own
PROGRESS = ("pending", "sending", "retry", "uncertain", "sent", "failed", "cancelled", "suppressed")


@admin.register(Campaign)
class CampaignAdmin(Moving, overview.Overview, PlainDeletion):
    """What can be changed when: the lists while it is a draft (its recipients are queued then), the
    message while it is a draft or paused, accounts and start time until it is cancelled."""

    form = FreshForm
    list_display = ["name", "state", "how_far", "to_lists", "was_queued"]
    list_filter = [overview.StateFilter, "lists"]
    search_fields = ["name", "subject"]
    show_full_result_count = False
    inlines = [AttachmentInline]
    actions = ACTIONS
    fieldsets = [
        (None, {"fields": ["name", "lists", "subject", "helper", "html", "text", "missing"]}),
        (_lazy("Sending"), {"fields": ["accounts", "scheduled_at"]}),
        (_lazy("Progress"), {"fields": ["status", "pause_reason", "progress", "queued_at", "queued_by"]}),
    ]

    # --- Actions: POST only, for who may send; Django's history tells who did what ---

    @admin.action(description=_lazy("Send campaign"), permissions=["send"])
    def send(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        def send(campaign: Campaign) -> str:
            return actions.send_campaign(campaign, user=request.user)

        self._each(request, campaigns, send)

    @admin.action(description=_lazy("Pause"), permissions=["send"])
    def pause(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        def pause(campaign: Campaign) -> str:
            actions.pause_campaign(campaign, reason=_("Paused by %s") % request.user)
            return _("Paused “%s”") % campaign

        self._each(request, campaigns, pause)

    @admin.action(description=_lazy("Resume"), permissions=["send"])
    def resume(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        def resume(campaign: Campaign) -> str:
            actions.resume_campaign(campaign)
            return _("Resumed “%s”") % campaign

        self._each(request, campaigns, resume)

    @admin.action(description=_lazy("Cancel for good"), permissions=["send"])
    def cancel(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        def cancel(campaign: Campaign) -> str:
            return actions.told_cancelled(campaign, actions.cancel_campaign(campaign))

        self._each(request, campaigns, cancel)

    @admin.action(description=_lazy("Send failed again"), permissions=["send"])
    def retry(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        def retry(campaign: Campaign) -> str:
            return actions.told_retried(campaign, actions.retry_failed(campaign))

        self._each(request, campaigns, retry)

    def stop(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        """The button “Stop queueing”, for who may send."""

        def stop(campaign: Campaign) -> str:
            actions.stop_queueing(campaign)
            return actions.told_stopped(campaign)

        self._each(request, campaigns, stop)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A button of the page: for who may edit it saves first, for who may only send it does not."""
        asked = self._asked_for(request)
        if asked and not self.has_send_permission(request):
            raise PermissionDenied
        if asked and object_id and not self.has_change_permission(request):
            campaign = super().get_object(request, unquote(object_id))
            if campaign is None or not self.has_view_permission(request, campaign):
                raise PermissionDenied
            return self._act(request, asked, campaign)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def response_change(self, request: HttpRequest, obj: Campaign) -> HttpResponse:
        """The page's buttons save first, so that what is sent is what the person sees."""
        if "_review" in request.POST:
            return HttpResponseRedirect(review.url_of(obj))
        asked = self._asked_for(request)
        return self._act(request, asked, obj) if asked else super().response_change(request, obj)

    def response_add(
        self, request: HttpRequest, obj: Campaign, post_url_continue: str | None = None
    ) -> HttpResponse:
        """A new campaign may be reviewed at once, too."""
        if "_review" in request.POST:
            return HttpResponseRedirect(review.url_of(obj))
        return super().response_add(request, obj, post_url_continue)

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Whether the user may queue, pause, resume, cancel and retry: asked by Django's actions, too."""
        return request.user.has_perm("campaigns.send_campaign")

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Not of one that a worker is queueing."""
        is_queueing = obj is not None and obj.status == Campaign.Status.QUEUEING
        return not is_queueing and super().has_delete_permission(request, obj)

    @staticmethod
    def _asked_for(request: HttpRequest) -> str:
        """The action of the button that was pressed, or ""."""
        if request.method != "POST":
            return ""
        return next((name for name in BUTTONS if f"_act:{name}" in request.POST), "")

    def _act(self, request: HttpRequest, name: str, campaign: Campaign) -> HttpResponse:
        getattr(self, name)(request, Campaign.objects.filter(pk=campaign.pk))
        return HttpResponseRedirect(request.path)

    def _each(
        self,
        request: HttpRequest,
        campaigns: QuerySet[Campaign],
        act: Callable[[Campaign], str],
        order: Sequence[Any] = ("id",),
    ) -> None:
        """One message and one line of history per campaign, in the order in which they were made.

        A refusal stops no other.
        """
        for campaign in campaigns.order_by(*order):
            try:
                with transaction.atomic():
                    told = act(campaign)
                    self.log_change(request, campaign, told)
                self.message_user(request, told, messages.SUCCESS)
            except Refused as refusal:
                self.message_user(request, str(refusal), messages.ERROR)

    # --- What may be changed ---

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locked while a form is saved, so that it can't be queued between the check and the change."""
        if request.method == "POST" and object_id.isdigit():
            Campaign.objects.select_for_update(no_key=True).filter(pk=object_id).first()
        return super().get_object(request, object_id, from_field)

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> list[str]:
        shown = ["helper", "missing", "status", "pause_reason", "progress", "queued_at", "queued_by"]
        if obj is None or obj.status == Campaign.Status.DRAFT:
            return shown
        locked = ["lists"] if obj.is_editable else ["lists", *MESSAGE_FIELDS]
        if obj.status == Campaign.Status.CANCELLED:
            locked += ["accounts", "scheduled_at"]
        return shown + locked

    def get_fieldsets(self, request: HttpRequest, obj: Campaign | None = None) -> Any:
        """Merge fields for who may write; what is missing once it is saved, progress once it is queued."""
        writes = obj is None or (obj.is_editable and self.has_change_permission(request, obj))
        hidden = set() if writes and preview.may_see_letters(request) else {"helper"}
        hidden |= set() if obj else {"missing"}
        message = [name for name in self.fieldsets[0][1]["fields"] if name not in hidden]
        is_asked_for = obj and (obj.queued_at or obj.status == Campaign.Status.QUEUEING)
        rest = self.fieldsets[1:] if is_asked_for else self.fieldsets[1:2]
        return [(None, {"fields": message}), *rest]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Lists and accounts as boxes to tick, and labels where Django gives none."""
        field = super().formfield_for_dbfield(db_field, request, **page_form.widget(db_field.name), **kwargs)
        return page_form.labelled(field, db_field.name) if field else field

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """With what stands beside the form. Without "Save and add another", to have room for the buttons."""
        campaign = context.get("original")
        for inline in context["inline_admin_formsets"] if context["errors"] else ():
            if told := attachments.not_kept(inline.formset):
                self.message_user(request, told, messages.WARNING)
        context["show_save_and_add_another"] = False
        context["may_send"] = self.has_send_permission(request)
        context["is_being_queued"] = bool(campaign and queueing.at_work(campaign))
        context["sees_letters"] = preview.may_see_letters(request)
        if campaign and testing.may_test(self, request):
            context["test_accounts"] = testing.choices(campaign)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_related(self, request: HttpRequest, form: ModelForm, formsets: Any, change: bool) -> None:
        """After the lists are saved, says which merge fields contacts lack, as the review does."""
        super().save_related(request, form, formsets, change)
        if "_review" in request.POST:
            return
        for note in merge_fields.notes(form.instance):
            self.message_user(request, note, messages.WARNING)

    # --- What is shown ---

    was_queued = moment_column("queued_at", _lazy("queued"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        return super().get_queryset(request).prefetch_related("lists")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Looks at how all campaigns of the page stand, in a fixed number of queries."""
        changelist = super().get_changelist_instance(request)
        overview.look(changelist.result_list)
        return changelist

    @admin.display(description=_lazy("lists"))
    def to_lists(self, campaign: Campaign) -> str:
        return ", ".join(str(one) for one in campaign.lists.all())

    @admin.display(description=_lazy("progress"))
    def progress(self, campaign: Campaign) -> str:
        if at_work := queueing.at_work(campaign):
            told = _("Being queued: %(done)s of %(expected)s emails")
            return told % {"done": number(at_work.rows_done), "expected": number(at_work.expected)}
        counts = querysets.progress([campaign.pk]).get(campaign.pk, {})
        labels = QueuedEmail.Status
        return ", ".join(
            f"{number(counts[one])} {labels(one).label.lower()}" for one in PROGRESS if one in counts
        )

    @admin.display(description=_lazy("merge fields"))
    def helper(self, campaign: Campaign) -> str:
        """Where the page's script puts the fields of the chosen lists."""
        return render_to_string("admin/campaigns/campaign/helper.html")

    @admin.display(description=_lazy("missing merge fields"))
    def missing(self, campaign: Campaign) -> str | SafeString:
        lines = [(note,) for note in merge_fields.notes(campaign)]
        told = format_html_join("", "<div>{}</div>", lines)
        return told or _("Every contact has all fields that are used.")

    def get_urls(self) -> list[Any]:
        own = [one for part in (preview, testing, review, tracking, attachments) for one in part.urls(self)]
        return [*own, *super().get_urls()]
