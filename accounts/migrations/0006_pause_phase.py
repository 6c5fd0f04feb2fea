from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ('accounts', '0005_labels'),
    ]

    operations = [
        migrations.AddField(
            model_name='smtpaccount',
            name='pause_phase',
            field=models.CharField(blank=True, db_default='', default='', editable=False, max_length=10, verbose_name='pause phase'),
        ),
    ]
