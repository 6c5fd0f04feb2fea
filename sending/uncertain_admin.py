"""Uncertain emails: what is known about each, what happens next, and what a person can decide."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.utils.translation import ngettext

from accounts.words import moment, number
from sending import actions, reconcile, uncertain
from sending.filters import AccountFilter, CampaignFilter
from sending.models import QueuedEmail, UncertainEmail
from sending.read_only import LedgerInline, LooksInline, ReadOnly


@admin.register(UncertainEmail)
class UncertainEmailAdmin(ReadOnly):
    """Only looked at, but for four actions, each for who may resolve uncertain emails."""

    list_display = ("email", "of", "known")
    list_select_related = ("campaign", "account")
    list_filter = (CampaignFilter, AccountFilter)
    actions = ("look_now", "arrived", "send_again", "not_arrived")
    fields = (
        "email", "campaign", "account", "message_id", "since", "phase", "last_word", "looked", "what_next"
    )  # fmt: skip
    readonly_fields = ("since", "phase", "last_word", "looked", "what_next")
    inlines = (LedgerInline, LooksInline)

    def get_queryset(self, request: HttpRequest) -> QuerySet[UncertainEmail]:
        return super().get_queryset(request).filter(status=QueuedEmail.Status.UNCERTAIN)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("sending.view_queuedemail") or self.has_resolve_permission(request)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Asked by the actions, on the server: whether the user may decide over uncertain emails."""
        return request.user.has_perm("sending.resolve_queuedemail")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Finds out what is known for all mails of the page at once."""
        changelist = super().get_changelist_instance(request)
        told = uncertain.tell(changelist.result_list)
        for mail in changelist.result_list:
            mail.told = told[mail.pk]
        return changelist

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With the list's actions as buttons, for who may decide: those that its campaign allows."""
        mail = self.get_object(request, object_id)
        context = {
            **(extra_context or {}),
            "may_resolve": self.has_resolve_permission(request),
            "is_cancelled": mail is not None and mail.campaign.status == "cancelled",
        }
        return super().change_view(request, object_id, form_url, context)

    # --- What a person can do ---

    @admin.action(description=_lazy("Look in the Sent folder now"), permissions=["resolve"])
    def look_now(self, request: HttpRequest, queryset: QuerySet[UncertainEmail]) -> None:
        done = reconcile.look_now(queryset.values_list("pk", flat=True))
        level = messages.WARNING if done.unread else messages.SUCCESS
        self.message_user(request, _("Looked: %(outcome)s.") % {"outcome": done}, level)
        for account, problem in done.problems.items():
            self.message_user(request, f"{account}: {problem}", messages.ERROR)
        if done.unasked:
            self.message_user(
                request,
                ngettext(
                    "%(count)s email can't be looked for: its account has no IMAP host.",
                    "%(count)s emails can't be looked for: their accounts have no IMAP host.",
                    done.unasked,
                )
                % {"count": number(done.unasked)},
                messages.WARNING,
            )

    @admin.action(description=_lazy("They arrived: count as sent"), permissions=["resolve"])
    def arrived(self, request: HttpRequest, queryset: QuerySet[UncertainEmail]) -> None:
        mails = list(queryset)
        count = actions.resolve_as_sent([mail.pk for mail in mails])
        self._remember(request, mails, _("Counted as sent: a person knows that it arrived."))
        told = ngettext("%(count)s email counts as sent", "%(count)s emails count as sent", count)
        self.message_user(request, told % {"count": number(count)}, messages.SUCCESS)

    @admin.action(description=_lazy("Send them again (may arrive twice) …"), permissions=["resolve"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[UncertainEmail]) -> HttpResponse | None:
        mails = list(queryset)
        newest = request.POST.get("confirmed", "")  # of the batches that the question was about
        if not newest.isdecimal():
            return self._ask(request, mails)
        asked = [mail for mail in mails if (mail.batch_id or 0) <= int(newest)]
        count = actions.resolve_by_resending({mail.pk: mail.batch_id or 0 for mail in asked})
        self._remember(request, asked, _("To be sent again: a person decided so."))
        told = actions.told_resent([mail.pk for mail in asked], count)
        self.message_user(request, told, messages.SUCCESS)
        if left := len(mails) - count:
            self.message_user(request, actions.told_left(left), messages.WARNING)
        return None

    @admin.action(
        description=_lazy("They did not arrive: cancel them, as their campaign is (nothing is sent)"),
        permissions=["resolve"],
    )
    def not_arrived(self, request: HttpRequest, queryset: QuerySet[UncertainEmail]) -> None:
        mails = list(queryset)
        count = actions.resolve_as_cancelled([mail.pk for mail in mails])
        cancelled = set(self.model.objects.filter(pk__in=[mail.pk for mail in mails], status="cancelled"))
        told = _("Cancelled: a person knows that it did not arrive, and its campaign is cancelled.")
        self._remember(request, [mail for mail in mails if mail in cancelled], told)
        told = ngettext("%(count)s email is cancelled", "%(count)s emails are cancelled", count)
        self.message_user(request, told % {"count": number(count)}, messages.SUCCESS)
        if left := len(mails) - count:
            self.message_user(request, actions.told_not_cancelled(left), messages.WARNING)

    def _ask(self, request: HttpRequest, mails: list[UncertainEmail]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Send again?"),
            "opts": self.opts,
            "mails": mails,
            # A mail that goes out meanwhile, and is uncertain again, is so in a newer batch.
            "newest": max((mail.batch_id or 0 for mail in mails), default=0),
        }
        return TemplateResponse(request, "admin/sending/uncertainemail/send_again.html", context)

    def _remember(self, request: HttpRequest, mails: list[UncertainEmail], what: str) -> None:
        LogEntry.objects.log_actions(request.user.pk, mails, CHANGE, what)  # type: ignore[arg-type]

    # --- What is shown ---

    @staticmethod
    def _told(mail: UncertainEmail) -> uncertain.Told:
        if not hasattr(mail, "told"):
            mail.told = uncertain.tell([mail])[mail.pk]  # type: ignore[attr-defined]
        return mail.told  # type: ignore[attr-defined]

    @admin.display(description=_lazy("since"))
    def since(self, mail: UncertainEmail) -> str:
        since = self._told(mail).since
        return moment(since) if since else ""

    @admin.display(description=_lazy("how far it came"))
    def phase(self, mail: UncertainEmail) -> str:
        return self._told(mail).phase

    @admin.display(description=_lazy("last word"))
    def last_word(self, mail: UncertainEmail) -> str:
        return self._told(mail).last_word

    @admin.display(description=_lazy("campaign, account, since"))
    def of(self, mail: UncertainEmail) -> SafeString:
        return _lines(str(mail.campaign), str(mail.account), self.since(mail))

    @admin.display(description=_lazy("what is known"))
    def known(self, mail: UncertainEmail) -> SafeString:
        told = self._told(mail)
        return _lines(told.last_word, told.looked, told.what_next)

    @admin.display(description=_lazy("Sent folder"))
    def looked(self, mail: UncertainEmail) -> str:
        return self._told(mail).looked

    @admin.display(description=_lazy("what happens next"))
    def what_next(self, mail: UncertainEmail) -> str:
        return self._told(mail).what_next


def _lines(*lines: str) -> SafeString:
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines if line))
