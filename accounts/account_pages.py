"""The pages of accounts beyond list and form: choose a provider, check connections, resume."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import standing
from accounts.actions import resume_account
from accounts.checking import check_accounts, patience
from accounts.models import AccountPause, SmtpAccount
from accounts.presets import PRESETS, Provider

FOLDER = "admin/accounts/smtpaccount"
JUST_CONNECTED = "check_account"  # in the session: the account whose connection was just entered
MOST_PAUSES = 20  # on an account's page


def provider_of(request: HttpRequest) -> str:
    """The provider that an account is being added for; "" where none was chosen yet."""
    asked = request.POST.get("provider") or request.GET.get("provider", "")
    return asked if asked in Provider.values else ""


class AccountPages(admin.ModelAdmin):
    """What the account's admin has besides Django's own pages."""

    add_form_template = f"{FOLDER}/add.html"
    change_form_template = f"{FOLDER}/change.html"
    change_list_template = f"{FOLDER}/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("check/", guard(require_POST(self.check_now)), name="accounts_smtpaccount_check"),
            path(
                "<int:account_id>/resume/",
                guard(require_POST(self.resume_one)),
                name="accounts_smtpaccount_resume",
            ),
            *super().get_urls(),
        ]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """First the choice of a provider, then the form that it needs."""
        provider = provider_of(request)
        if request.method == "GET" and not provider:
            if not self.has_add_permission(request):
                raise PermissionDenied
            page = {**self.admin_site.each_context(request), "opts": self.opts, "title": _("Add an account")}
            return TemplateResponse(request, f"{FOLDER}/choose.html", {**page, "providers": _providers()})
        context = {**(extra_context or {}), "preset": PRESETS.get(provider)}
        if provider:
            context["title"] = _("Add an account: %(provider)s") % {"provider": _label(provider)}
        return super().add_view(request, form_url, context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With how the account stands, what it has left, and its pauses."""
        account = self.get_object(request, object_id)
        context = {**(extra_context or {}), **(self._about(request, account) if account else {})}
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; what to do where there is no account yet."""
        is_empty = not SmtpAccount.objects.exists()
        return super().changelist_view(request, {**(extra_context or {}), "is_empty": is_empty})

    def _about(self, request: HttpRequest, account: SmtpAccount) -> dict[str, Any]:
        pauses = AccountPause.objects.filter(account=account)
        asked_by_saving = request.method == "GET" and request.session.get(JUST_CONNECTED) == account.pk
        if asked_by_saving:
            del request.session[JUST_CONNECTED]
        may_change = self.has_change_permission(request, account)
        return {
            "checked": [standing.Checked(account, standing.of(account))],
            "check_now": asked_by_saving and may_change,
            "may_change": may_change,
            "patience": patience(1),
            "preset": PRESETS.get(account.provider),
            "provider": _label(account.provider),
            "pauses": pauses[:MOST_PAUSES],
            "more_pauses": max(0, pauses.count() - MOST_PAUSES),
        }

    def ask_to_check(self, request: HttpRequest, accounts: Iterable[SmtpAccount]) -> HttpResponse:
        """The page that asks for a check of these accounts, and shows what comes of it."""
        checked = [standing.Checked(account, standing.of(account)) for account in accounts]
        return self._checks(request, checked, check_now=True)

    def check_now(self, request: HttpRequest) -> HttpResponse:
        """POST: checks the connection of each `account`; a part of a page for htmx, else a whole one."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        asked = [pk for pk in request.POST.getlist("account") if pk.isdecimal() and len(pk) < 19]
        accounts = self.get_queryset(request).filter(pk__in=asked)
        checked = check_accounts(accounts, by=request.user.get_username())
        for account, check in checked:
            self.log_change(request, account, _("Checked the connection: %s") % check)
        found = [standing.Checked(account, standing.of(account), check) for account, check in checked]
        return self._checks(request, found)

    def _checks(
        self, request: HttpRequest, checked: list[standing.Checked], check_now: bool = False
    ) -> HttpResponse:
        is_part = "HX-Request" in request.headers
        context = {
            "checked": checked,
            "check_now": check_now,
            "may_change": True,
            "is_listed": len(checked) > 1 or not is_part or "is_listed" in request.POST,
            "patience": patience(len(checked)),
        }
        if is_part:
            return TemplateResponse(request, f"{FOLDER}/checked.html", context)
        page = {**self.admin_site.each_context(request), "opts": self.opts, "title": _("Check connections")}
        return TemplateResponse(request, f"{FOLDER}/check.html", {**page, **context})

    def resume_one(self, request: HttpRequest, account_id: int) -> HttpResponse:
        """POST: lets a paused account send again."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        account = get_object_or_404(SmtpAccount, pk=account_id)
        resume_account(account.pk, by=request.user.get_username())
        self.log_change(request, account, _("Resumed"))
        self.message_user(request, _("“%(account)s” sends again.") % {"account": account}, messages.SUCCESS)
        return redirect("admin:accounts_smtpaccount_change", account.pk)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._then_check(request, obj, super().response_add(request, obj, post_url_continue))

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return self._then_check(request, obj, super().response_change(request, obj))

    def _then_check(self, request: HttpRequest, account: SmtpAccount, response: HttpResponse) -> HttpResponse:
        """After a connection was entered, to its page, which checks it at once."""
        stays = {"_addanother", "_popup"} & set(request.POST)
        if (
            request.session.get(JUST_CONNECTED) != account.pk
            or stays
            or not self.has_change_permission(request)
        ):
            return response
        return redirect("admin:accounts_smtpaccount_change", account.pk)


def _label(provider: str) -> str:
    return str(Provider(provider).label) if provider else ""


def _providers() -> list[dict[str, Any]]:
    return [{"key": key, "label": label, "preset": PRESETS.get(key)} for key, label in Provider.choices]
