from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sending", "0004_heartbeat_of_each_cluster"),
    ]

    operations = [
        migrations.AddField(
            model_name="sendlog",
            name="scope",
            field=models.CharField(
                blank=True, db_default="", default="", help_text="Whom the reply is about.", max_length=10
            ),
        ),
    ]
