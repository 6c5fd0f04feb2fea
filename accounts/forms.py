"""The form of an account in the admin."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.actions import brought_by, tidy_password
from accounts.fresh_form import FreshForm
from accounts.mailboxes import one_mailbox_at_a_time
from accounts.models import SmtpAccount
from accounts.presets import PRESETS, Provider, Security, provider_for_host
from accounts.words import number

FILLED_IN = ("host", "port", "name", "imap_port", "imap_security", "when_unproven")
LIMITS = (
    "limit_window", "time_zone", "hourly_limit", "minute_limit", "spacing", "spacing_jitter",
    "warm_up_start", "warm_up_step", "warm_up_since",
)  # fmt: skip
TLS_CHOICES = [("", _lazy("The usual")), *Security.choices]


class SmtpAccountForm(FreshForm):
    """The password goes in and never comes out; what the provider tells may be left empty."""

    security = forms.ChoiceField(required=False, choices=TLS_CHOICES)
    new_password = forms.CharField(
        label=_lazy("Password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = SmtpAccount
        fields = (
            "name", "provider", "email", "from_name", "reply_to", "host", "port", "security",
            "username", "daily_limit", "is_enabled", "imap_host", "imap_port", "imap_security",
            "when_unproven", *LIMITS,
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._loaded = self._stored()
        if "provider" not in self.fields:  # who may only look has no fields
            return
        for name in FILLED_IN:
            self.fields[name].required = False
        if not self.instance.pk:
            self.initial.update(port=None, security="", imap_port=None)
            self.fields["provider"].widget = forms.HiddenInput()  # chosen on the page before
        self.fields["time_zone"].widget = forms.Select(choices=_time_zones(self.instance.time_zone))
        since = self.fields["warm_up_since"]
        for part, name in zip(since.widget.widgets, (_("date"), _("time")), strict=True):
            part.attrs["aria-label"] = f"{since.label}: {name}"  # Django's label names neither
        self._explain_fields()

    def _explain_fields(self) -> None:
        self.fields["username"].help_text = _(
            "Empty with a password: the address. Without both nobody logs in."
        )
        self.fields["port"].help_text = _("Empty: the usual one.")
        self.fields["imap_port"].help_text = _("Empty: the usual one.")
        self.fields["name"].help_text = _("What the team calls it. Empty: the address.")
        password = self.fields["new_password"]
        password.help_text = (
            _("One is stored, encrypted. Leave empty to keep it.")
            if self.instance.password
            else _("Is stored encrypted, and never shown again.")
        )
        self._explain_provider()

    def _explain_provider(self) -> None:
        provider = self.data.get("provider") or self.initial.get("provider") or self.instance.provider
        preset = PRESETS.get(provider)
        if not preset:
            self.fields["host"].required = True  # nobody else knows it
            self.fields["host"].help_text = _("Such as smtp.example.com: whoever runs the server knows it.")
            return
        self.fields["host"].help_text = _("Empty: the provider's, with its port and security.")
        self.fields["new_password"].required = not self.instance.pk  # nobody sends there without
        if provider in (Provider.GMAIL, Provider.WORKSPACE):
            self.fields["new_password"].label = _("App password")
        told = {"provider": Provider(provider).label, "limit": number(preset.provider_limit)}
        words = _(
            "Most mails a day from here. %(provider)s lets out %(limit)s in 24 hours, mail written by hand "
            "in the same mailbox included: leave room for that, and begin with less for a new mailbox."
        )
        self.fields["daily_limit"].help_text = words % told

    def changed_columns(self) -> list[str]:
        """The fields of the account that differ from what was loaded: to save no others.

        So what the dispatcher writes meanwhile, a pause above all, stays.
        """
        return [name for name, value in self._stored().items() if value != self._loaded[name]]

    def _stored(self) -> dict[str, Any]:
        fields = self.instance._meta.concrete_fields
        return {field.name: getattr(self.instance, field.attname) for field in fields}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.instance.pk:
            changes = {name: cleaned[name] for name in self.changed_data if name in cleaned}
            cleaned |= brought_by(self.instance, changes)
        if self.has_error("host", "required"):  # the account itself says more about it
            del self.errors["host"]
            cleaned["host"] = ""
        cleaned["name"] = cleaned.get("name") or cleaned.get("email", "")[:100]
        if cleaned.get("new_password") and not cleaned.get("username"):
            cleaned["username"] = cleaned.get("email", "")
        return cleaned

    def _post_clean(self) -> None:
        """Gives the account its password before it checks itself."""
        password = self.cleaned_data.get("new_password")
        if password:
            provider = self.cleaned_data.get("provider", Provider.CUSTOM)
            if provider == Provider.CUSTOM:
                provider = provider_for_host(self.cleaned_data.get("host", ""))
            self.instance.password = tidy_password(provider, password)
        one_mailbox_at_a_time()
        super()._post_clean()


def _time_zones(present: str) -> list[tuple[str, str]]:
    """The time zones to choose from: those named after a city, UTC, and the present one."""
    cities = {name for name in available_timezones() if "/" in name and not name.startswith("Etc/")}
    return [(name, name) for name in sorted(cities | {"UTC", present})]
