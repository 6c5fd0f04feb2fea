"""Every page of the admin, for tests that open them all."""

from django.contrib import admin
from django.urls import reverse

from campaigns.models import Campaign
from tests.factories import make_account, make_list
from tests.queue_rows import beat, make_queue, make_sent, queued


def admin_pages() -> list[str]:
    """Every page of the admin for what is in the database: lists, forms, histories, deletions."""
    pages = ["index", "password_change", "password_change_done"]
    found = [reverse(f"admin:{name}") for name in pages]
    found += ["/admin/dashboard/", "/admin/tables/"]
    found += [reverse("admin:campaigns_campaign_review", args=[one.pk]) for one in Campaign.objects.all()]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found += [reverse(f"{name}_changelist"), reverse(f"{name}_add")]
        row = model._default_manager.first()
        if row is not None:
            found += [reverse(f"{name}_{page}", args=[row.pk]) for page in ("change", "history", "delete")]
    return found


def fill() -> None:
    """One row at least in most tables."""
    campaign, account = queued(html="<p style='color: red'>Hello"), make_account(pause_reason="Mend it.")
    campaign.lists.set([make_list(2)])
    make_sent(campaign, account, 2)
    make_queue(campaign, "pending", 1)
    beat()
