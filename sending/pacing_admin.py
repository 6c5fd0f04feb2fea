"""The page of the knobs: what each means, and what they lead to while somebody turns them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_POST

from accounts.fresh_form import FreshForm
from sending import actions, pacing_outlook
from sending.models import Pacing

TIME = forms.TimeInput(format="%H:%M", attrs={"size": 8})


class PacingForm(FreshForm):
    """All knobs, with their bounds."""

    class Meta:
        model = Pacing
        fields = (
            "batch_size", "scope", "batch_interval", "delay", "jitter", "retry_interval", "max_retries",
            "window_days", "window_opens", "window_closes",
        )  # fmt: skip
        widgets = dict.fromkeys(("window_opens", "window_closes"), TIME)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name, value in self.initial.items():  # 30, not 30.0
            if isinstance(value, float) and value.is_integer():
                self.initial[name] = int(value)


@admin.register(Pacing)
class PacingAdmin(admin.ModelAdmin):
    """One row: its list leads straight to it."""

    form = PacingForm
    change_form_template = "admin/sending/pacing/change.html"
    fieldsets = (
        (_lazy("Batches"), {"fields": ("batch_size", "scope", "batch_interval")}),
        (_lazy("Between two mails"), {"fields": ("delay", "jitter")}),
        (_lazy("Retries"), {"fields": ("retry_interval", "max_retries")}),
        (_lazy("Sending window"), {"fields": ("window_days", "window_opens", "window_closes")}),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.outlook))
        return [path("outlook/", view, name="sending_pacing_outlook"), *super().get_urls()]

    def outlook(self, request: HttpRequest) -> HttpResponse:
        """POST: what the knobs that are sent lead to. Nothing is stored."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        form = PacingForm(request.POST, instance=Pacing.load())
        context = _outlook(form.instance) if form.is_valid() else {"errors": form.errors, "form": form}
        return render(request, "admin/sending/pacing/outlook.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """With what the knobs lead to as they are stored."""
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **_outlook(Pacing.load())}
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Pacing | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict | None = None) -> HttpResponse:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return redirect("admin:sending_pacing_change", Pacing.load().pk)

    def save_model(self, request: HttpRequest, obj: Pacing, form: Any, change: bool) -> None:
        actions.set_pacing(**{name: form.cleaned_data[name] for name in form.changed_data})

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """For the history: "Batch size: 10 → 25; Delay (seconds): 2 → 1.5"."""
        changes = [
            f"{form.fields[name].label}: {form.initial[name]} → {form.cleaned_data[name]}"
            for name in form.changed_data
        ]
        return "; ".join(changes) or super().construct_change_message(request, form, formsets, add)


def _outlook(pacing: Pacing) -> dict[str, Any]:
    return {"outlook": pacing_outlook.of(pacing, timezone.localtime())}
