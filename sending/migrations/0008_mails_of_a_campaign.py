from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Serves the list of a campaign's recipients by state, where no other index does."""

    dependencies = [("sending", "0007_resolve_permission")]
    operations = [
        migrations.AddIndex(
            model_name="queuedemail",
            index=models.Index(
                fields=["campaign", "status", "id"],
                condition=Q(status__in=["sent", "cancelled", "suppressed", "retry"]),
                name="sending_q_campaign",
            ),
        ),
        migrations.AddIndex(
            model_name="queuedemail",
            index=models.Index(
                fields=["campaign", "next_attempt_at"],
                condition=Q(status="retry"),
                name="sending_q_campaign_retry",
            ),
        ),
    ]
