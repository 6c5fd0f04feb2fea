"""The campaign, as sending knows it: a row behind a foreign key, never an import."""

from typing import Any

from django.db.models.functions import Coalesce

# Campaigns are sent in the order in which they were queued, but for those that somebody moved; an
# index of the campaigns holds those that are being sent in this order. Drafts have none: they come last.
PLACE = Coalesce("place_at", "queued_at")
ORDER = (PLACE, "id")


def campaign_model() -> Any:
    """The model behind QueuedEmail.campaign: has status, scheduled_at, queued_at, place_at, accounts."""
    from sending.models import QueuedEmail

    return QueuedEmail._meta.get_field("campaign").related_model


def contact_model() -> Any:
    """The model behind QueuedEmail.contact."""
    from sending.models import QueuedEmail

    return QueuedEmail._meta.get_field("contact").related_model


def pause_campaign(campaign_id: int, reason: str) -> bool:
    """Pauses a campaign that is being sent; reason is shown to staff. False if it is not sending."""
    changed = (
        campaign_model()
        .objects.filter(pk=campaign_id, status="sending")
        .update(status="paused", pause_reason=reason[:500])
    )
    return bool(changed)
