"""SMTP accounts: add one by its provider, see whether it sends, check and resume it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts import removal
from accounts.actions import resume_account
from accounts.checking import check_accounts
from accounts.forms import SmtpAccountForm
from accounts.models import SmtpAccount

LIMITS = "All of these are optional: the daily limit alone is enough for most accounts."
SENT_FOLDER = ("imap_host", "imap_port", "imap_security", "when_unproven")
CONNECTION = {"host", "port", "security", "username", "new_password", *SENT_FOLDER[:3]}
WORKERS_WRITE = ("paused_until", "pause_reason")
ABOUT_SENT_FOLDER = (
    "When a connection breaks just as a mail is handed over, nobody knows whether it was accepted. Gmail, "
    "and other servers that keep a copy of what they accept in the Sent folder, can then be asked over IMAP. "
    "Microsoft 365 can't: it takes no passwords over IMAP any more."
)


@admin.register(SmtpAccount)
class SmtpAccountAdmin(admin.ModelAdmin):
    form = SmtpAccountForm
    list_display = ("name", "email", "host", "daily_limit", "is_enabled", "state")
    list_filter = ("is_enabled", "provider")
    search_fields = ("name", "email")
    readonly_fields = ("state",)
    actions = ("check_connection", "resume")
    fieldsets = (
        (None, {"fields": ("provider", "email", "name", "from_name", "reply_to")}),
        ("Log-in", {"fields": ("username", "new_password")}),
        ("Server", {"fields": ("host", "port", "security")}),
        ("Sending", {"fields": ("daily_limit", "is_enabled", "state")}),
        (
            "Limits",
            {
                "description": LIMITS,
                "fields": (
                    ("limit_window", "time_zone"),
                    ("hourly_limit", "minute_limit"),
                    ("spacing", "spacing_jitter"),
                    ("warm_up_start", "warm_up_step"),
                    "warm_up_since",
                ),
            },
        ),
        ("Sent folder", {"fields": SENT_FOLDER, "description": ABOUT_SENT_FOLDER, "classes": ("collapse",)}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: SmtpAccount | None = None) -> Any:
        """Who may only look sees no field for a password."""
        fieldsets = super().get_fieldsets(request, obj)
        if self.has_change_permission(request, obj) or (obj is None and self.has_add_permission(request)):
            return fieldsets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "new_password"]})
            for title, options in fieldsets
        ]

    @admin.display(description="state")
    def state(self, account: SmtpAccount) -> str:
        if not account.is_enabled:
            return "Disabled"
        if not account.is_paused:
            return "Ready"
        if account.paused_until is None:
            return f"Paused until resumed: {account.pause_reason}"
        until = date_format(timezone.localtime(account.paused_until), "SHORT_DATETIME_FORMAT")
        return f"Paused until {until}: {account.pause_reason}"

    @admin.action(description=_lazy("Check connection"), permissions=["change"])
    def check_connection(self, request: HttpRequest, queryset: QuerySet[SmtpAccount]) -> None:
        for account, check in check_accounts(queryset):
            works = messages.WARNING if check.unread else messages.SUCCESS
            level = works if check.ok else messages.ERROR
            self.message_user(request, f"{account.email}: {check}", level)
            self.log_change(request, account, _("Checked the connection: %s") % check)

    @admin.action(description=_lazy("Resume"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[SmtpAccount]) -> None:
        for account in queryset:
            resume_account(account.pk)
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
        if change:  # not what a worker may write meanwhile: that the account is paused
            obj.save(update_fields=[name for name in _columns() if name not in WORKERS_WRITE])
        else:
            super().save_model(request, obj, form, change)
        if CONNECTION & set(form.changed_data):
            self.message_user(request, "Check the connection now: choose it in the list.", messages.WARNING)


def _columns() -> list[str]:
    return [field.name for field in SmtpAccount._meta.concrete_fields if not field.primary_key]
