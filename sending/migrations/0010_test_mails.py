import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

PHASES = [
    ("connect", "Connecting"),
    ("tls", "TLS"),
    ("auth", "Log-in"),
    ("mail", "MAIL FROM"),
    ("rcpt", "RCPT TO"),
    ("data", "DATA"),
    ("dot", "Final dot"),
    ("compose", "Composing"),
    ("resolution", "Resolved"),
]
OUTCOMES = [
    ("sending", "Being sent"),
    ("sent", "Sent"),
    ("refused", "Not accepted"),
    ("uncertain", "Uncertain"),
]


class Migration(migrations.Migration):
    """Test mails: rows of their own, which count against their account's limits."""

    dependencies = [
        ("accounts", "0003_sent_folder"),
        ("campaigns", "0004_place_in_the_order"),
        ("sending", "0009_export"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.CreateModel(
            name="TestMail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("email", models.EmailField(max_length=254, verbose_name="to")),
                ("message_id", models.CharField(max_length=320, verbose_name="Message-ID")),
                ("started_at", models.DateTimeField(db_default=Now(), verbose_name="started")),
                ("counts_at", models.DateTimeField(help_text="When it counts in the windows of the limits.")),
                ("outcome", models.CharField(choices=OUTCOMES, default="sending", max_length=10)),
                ("phase", models.CharField(blank=True, choices=PHASES, max_length=10)),
                ("code", models.PositiveSmallIntegerField(help_text="SMTP reply code (RFC 5321).", null=True)),
                ("enhanced_code", models.CharField(blank=True, help_text="Enhanced status code (RFC 3463).", max_length=12)),
                ("text", models.CharField(blank=True, max_length=500)),
                ("account", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to="accounts.smtpaccount")),
                ("campaign", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="test_mails", to="campaigns.campaign")),
                ("sent_by", models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={"verbose_name": "test email", "ordering": ["-id"]},
        ),
        migrations.AddConstraint(
            model_name="testmail",
            constraint=models.CheckConstraint(
                condition=Q(outcome__in=["sending", "sent", "refused", "uncertain"]),
                name="sending_testmail_outcome_known",
            ),
        ),
        migrations.AddIndex(
            model_name="testmail",
            index=models.Index(
                condition=~Q(outcome="refused"), fields=["account", "counts_at"], name="sending_testmail_used"
            ),
        ),
    ]
