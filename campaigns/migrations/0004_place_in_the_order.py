from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    """Campaigns can be moved in the order of sending; queued_at stays what it is, history."""

    dependencies = [("campaigns", "0003_send_permission")]
    operations = [
        migrations.AddField(
            model_name="campaign",
            name="place_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RemoveIndex(model_name="campaign", name="campaigns_campaign_sending"),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(
                Coalesce("place_at", "queued_at"),
                "id",
                condition=Q(status="sending"),
                name="campaigns_campaign_sending",
            ),
        ),
    ]
