"""Whether anything that the dashboard shows has changed: one statement that counts nothing."""

from django.db import connection

# A row's xmin changes whenever the row does. The queue shows its changes by the tally's newest row.
# What time alone changes is named: life signs that get old, pauses and starts that are due, mails
# that leave the 24 h window; what is told to the minute changes with the minute, and so does what is told
# of an address that was taken off the suppression list.
VERSION = """
SELECT md5(concat_ws('|',
    (SELECT max(id) FROM sending_tally),
    (SELECT max(id) FROM sending_sendlog),
    (SELECT max(id) FROM sending_batch),
    (SELECT max(id) FROM sending_suppression),
    (SELECT string_agg(id || ':' || xmin, ',') FROM (
        SELECT id, xmin FROM sending_testmail ORDER BY id DESC LIMIT 100) newest),
    (SELECT string_agg(id || ':' || xmin, ',' ORDER BY id) FROM sending_batch WHERE finished IS NULL),
    (SELECT string_agg(id || ':' || xmin, ',' ORDER BY id) FROM accounts_smtpaccount),
    (SELECT string_agg(id || ':' || xmin, ',' ORDER BY id) FROM campaigns_campaign),
    (SELECT string_agg(id || ':' || xmin, ',' ORDER BY id) FROM sending_heartbeat),
    (SELECT string_agg(id || ':' || xmin, ',' ORDER BY id) FROM sending_pacing),
    (SELECT EXISTS (SELECT FROM campaigns_contact)),
    (SELECT count(*) FROM sending_heartbeat WHERE at > now() - %(silent)s * interval '1 second'),
    (SELECT count(*) FROM accounts_smtpaccount WHERE paused_until > now()),
    (SELECT count(*) FROM campaigns_campaign WHERE scheduled_at > now()),
    (SELECT min(at) FROM sending_sendlog WHERE at > now() - interval '24 hours'),
    date_trunc('minute', now())))
"""


def version(silent_after: int) -> str:
    """A word that differs whenever the dashboard's figures may; silent_after: seconds, as in settings."""
    with connection.cursor() as cursor:
        cursor.execute(VERSION, {"silent": silent_after})
        return cursor.fetchone()[0]
