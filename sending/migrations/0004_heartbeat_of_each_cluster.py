from django.db import migrations, models


class Migration(migrations.Migration):
    """One heartbeat for each job and cluster. The old ones are worth nothing: they come anew within seconds."""

    dependencies = [
        ("sending", "0003_lookup_indexes"),
    ]

    operations = [
        migrations.DeleteModel(name="Heartbeat"),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("job", models.CharField(max_length=40)),
                (
                    "host",
                    models.CharField(
                        help_text="The name of the cluster; its host's by default.", max_length=253
                    ),
                ),
                ("at", models.DateTimeField()),
                ("duration", models.FloatField(help_text="Seconds.")),
                ("outcome", models.CharField(max_length=500)),
            ],
            options={"ordering": ["job", "host"]},
        ),
        migrations.AddConstraint(
            model_name="heartbeat",
            constraint=models.UniqueConstraint(
                fields=("job", "host"), name="sending_heartbeat_one_a_cluster"
            ),
        ),
    ]
