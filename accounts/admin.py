"""SMTP accounts: add one by its provider, see whether it sends, check and resume it."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts import removal, standing
from accounts.account_pages import JUST_CONNECTED, AccountPages, provider_of
from accounts.actions import resume_account
from accounts.columns import address_column, moment_column
from accounts.forms import SmtpAccountForm
from accounts.models import AccountPause, SmtpAccount
from accounts.presets import Provider
from accounts.words import moment

LIMITS = _lazy("All of these are optional: the daily limit alone is enough for most accounts.")
SENT_FOLDER = ("imap_host", "imap_port", "imap_security", "when_unproven")
CONNECTION = {"email", "host", "port", "security", "username", "new_password", *SENT_FOLDER[:3]}
ABOUT_SENT_FOLDER = _lazy(
    "When a connection breaks just as a mail is handed over, nobody knows whether it was accepted. Gmail, "
    "and other servers that keep a copy of what they accept in the Sent folder, can then be asked over IMAP. "
    "Microsoft 365 can't: it takes no passwords over IMAP any more."
)
NAMES = ("name", "reply_to")
SERVER = ("host", "port", "security", "username")
# One a row: Django opens what is folded where a field is wrong, but finds none that shares its row.
MORE_LIMITS = (
    "limit_window", "time_zone", "hourly_limit", "minute_limit", "spacing", "spacing_jitter",
    "warm_up_start", "warm_up_step", "warm_up_since",
)  # fmt: skip


def _folded(*fields: Any, **more: Any) -> dict[str, Any]:
    return {"fields": fields, "classes": ("collapse",), **more}


@admin.register(SmtpAccount)
class SmtpAccountAdmin(AccountPages):
    form = SmtpAccountForm
    list_display = ("name", "state", "daily_limit", "provider", "address")
    list_filter = ("is_enabled", "provider")
    search_fields = ("name", "email")
    actions = ("check_connection", "resume")
    address = address_column("email", _lazy("email"))

    def get_fieldsets(self, request: HttpRequest, obj: SmtpAccount | None = None) -> Any:
        """The few fields that matter first, the rest folded. Who may only look sees no password's field."""
        provider = obj.provider if obj else provider_of(request)
        is_known = provider not in ("", Provider.CUSTOM)
        first = [
            "provider",
            "email",
            "from_name",
            *(() if is_known else SERVER),
            "new_password",
            "daily_limit",
        ]
        may_write = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        if not may_write:
            first.remove("new_password")
        fieldsets = [
            (None, {"fields": [*first, "is_enabled"] if obj else first}),
            (_("Name and replies"), _folded(*NAMES)),
            (_("Server and log-in"), _folded(*SERVER)),
            (_("More limits"), _folded(*MORE_LIMITS, description=LIMITS)),
            (_("Sent folder"), _folded(*SENT_FOLDER, description=ABOUT_SENT_FOLDER)),
        ]
        return [one for one in fieldsets if is_known or one[1]["fields"] != SERVER]

    @admin.display(description=_lazy("state"))
    def state(self, account: SmtpAccount) -> str:
        found = standing.of(account)
        chip = format_html('<span class="chip is-{}">{}</span>', found.tone, found.word)
        if not account.is_paused:
            return chip
        return format_html('{} <span class="small">{}: {}</span>', chip, found.when, found.text)

    @admin.action(description=_lazy("Check connection"), permissions=["change"])
    def check_connection(self, request: HttpRequest, queryset: QuerySet[SmtpAccount]) -> HttpResponse:
        return self.ask_to_check(request, queryset)

    @admin.action(description=_lazy("Resume"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[SmtpAccount]) -> None:
        for account in queryset:
            resume_account(account.pk, by=request.user.get_username())
            self.log_change(request, account, _("Resumed"))
        self.message_user(request, _("Resumed: ") + ", ".join(account.email for account in queryset))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list, dict, set, list]:
        """What deleting takes along: nothing, or it is refused. Django's own would list all their mail."""
        accounts = list(objs)
        protecting = [f"{one}: {reason}" for one in accounts for reason in removal.reasons_against(one)]
        return (
            [str(account) for account in accounts],
            {self.opts.verbose_name_plural: len(accounts)},
            set(),
            protecting,
        )

    def save_model(self, request: HttpRequest, obj: SmtpAccount, form: Any, change: bool) -> None:
        """Saves what was changed and no more, so that a pause that is written meanwhile stays."""
        if change:
            obj.save(update_fields=form.changed_columns())
        else:
            obj.save()
        if CONNECTION & set(form.changed_data):
            request.session[JUST_CONNECTED] = obj.pk


@admin.register(AccountPause)
class AccountPauseAdmin(admin.ModelAdmin):
    """All pauses of all accounts, to look at."""

    list_display = ("account", "began", "over", "what_ended_it", "reason")
    list_display_links = None
    list_filter = ("account",)
    list_select_related = ("account",)
    show_full_result_count = False
    began = moment_column("began_at", _lazy("from"))

    @admin.display(description=_lazy("to"))
    def over(self, pause: AccountPause) -> str:
        return moment(pause.over_at) if pause.over_at else "–"

    @admin.display(description=_lazy("what ended it"))
    def what_ended_it(self, pause: AccountPause) -> str:
        return pause.end

    def has_view_permission(self, request: HttpRequest, obj: AccountPause | None = None) -> bool:
        return request.user.has_perm("accounts.view_smtpaccount")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AccountPause | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AccountPause | None = None) -> bool:
        return False
