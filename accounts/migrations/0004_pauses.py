import django.db.models.deletion
from django.db import migrations, models

# Keeps the history, whatever writes to the account. A pause whose time was up has ended then, not now; the
# same reason with another end is the same pause.
TRIGGER = """
CREATE FUNCTION accounts_note_pause() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    is_paused boolean := NEW.pause_reason <> '' AND (NEW.paused_until IS NULL OR NEW.paused_until > now());
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE accounts_accountpause SET until = NEW.paused_until
        WHERE account_id = NEW.id AND ended_at IS NULL AND is_paused AND reason = NEW.pause_reason
          AND (until IS NULL OR until > now());
        IF FOUND THEN
            RETURN NULL;
        END IF;
        UPDATE accounts_accountpause SET
            ended_at = least(until, now()),
            ended_how = CASE WHEN until <= now() THEN 'time' WHEN is_paused THEN 'replaced' ELSE 'resumed' END
        WHERE account_id = NEW.id AND ended_at IS NULL;
    END IF;
    IF is_paused THEN
        INSERT INTO accounts_accountpause (account_id, reason, began_at, until)
        VALUES (NEW.id, NEW.pause_reason, now(), NEW.paused_until);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER accounts_note_new_pause AFTER INSERT ON accounts_smtpaccount
    FOR EACH ROW WHEN (NEW.pause_reason <> '') EXECUTE FUNCTION accounts_note_pause();
CREATE TRIGGER accounts_note_pause AFTER UPDATE ON accounts_smtpaccount
    FOR EACH ROW WHEN (OLD.pause_reason <> NEW.pause_reason OR OLD.paused_until IS DISTINCT FROM NEW.paused_until)
    EXECUTE FUNCTION accounts_note_pause();
-- What is paused now began at this moment as far as anybody knows.
INSERT INTO accounts_accountpause (account_id, reason, began_at, until)
SELECT id, pause_reason, now(), paused_until FROM accounts_smtpaccount
WHERE pause_reason <> '' AND (paused_until IS NULL OR paused_until > now());
"""
DROP = """
DROP TRIGGER accounts_note_pause ON accounts_smtpaccount;
DROP TRIGGER accounts_note_new_pause ON accounts_smtpaccount;
DROP FUNCTION accounts_note_pause();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_sent_folder'),
    ]

    operations = [
        migrations.CreateModel(
            name='AccountPause',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=500)),
                ('began_at', models.DateTimeField()),
                ('until', models.DateTimeField(help_text='When it was to end by itself. Empty: when mended.', null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('ended_how', models.CharField(blank=True, choices=[('time', 'Its time was up'), ('resumed', 'Resumed'), ('mended', 'A check of the connection worked'), ('replaced', 'Another pause took its place')], db_default='', default='', max_length=10)),
                ('ended_by', models.CharField(blank=True, db_default='', default='', help_text='Who.', max_length=150)),
                ('account', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='pauses', to='accounts.smtpaccount')),
            ],
            options={
                'verbose_name': 'pause',
                'ordering': ['-began_at', '-id'],
                'default_permissions': (),
                'indexes': [models.Index(fields=['account', '-began_at'], name='accounts_accountpause_newest')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('account',), name='accounts_accountpause_one_open'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('ended_how', '')), models.Q(('ended_at__isnull', False), models.Q(('ended_how', ''), _negated=True)), _connector='OR'), name='accounts_accountpause_end_whole')],
            },
        ),
        migrations.RunSQL(TRIGGER, DROP),
    ]
