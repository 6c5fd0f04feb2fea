"""The campaign, as sending knows it: a row behind a foreign key, never an import."""

from typing import Any


def campaign_model() -> Any:
    """The model behind QueuedEmail.campaign: has status, scheduled_at, queued_at, accounts."""
    from sending.models import QueuedEmail

    return QueuedEmail._meta.get_field("campaign").related_model


def pause_campaign(campaign_id: int, reason: str) -> bool:
    """Pauses a campaign that is being sent; reason is shown to staff. False if it is not sending."""
    changed = (
        campaign_model()
        .objects.filter(pk=campaign_id, status="sending")
        .update(status="paused", pause_reason=reason[:500])
    )
    return bool(changed)
