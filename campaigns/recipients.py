"""Who gets a campaign: the contacts of its lists, once each, but for those who are suppressed."""

from dataclasses import dataclass
from typing import Any

from django.db import connection

# What makes a contact (by this alias) a recipient; queueing and counting share it, with parameters().
# Lists come as values: joined by the campaign, PostgreSQL can't tell a list of a million from one of ten.
IS_MEMBER = """contact.id IN (
    SELECT contact_id FROM campaigns_contactlist_contacts WHERE contactlist_id = ANY(%(lists)s))"""
IS_SUPPRESSED = """EXISTS (
    SELECT 1 FROM sending_suppression suppression
    WHERE lower(suppression.email) = lower(contact.email))"""
IS_QUEUED = """EXISTS (
    SELECT 1 FROM sending_queuedemail mail
    WHERE mail.campaign_id = %(campaign)s AND lower(mail.email) = lower(contact.email))"""
# Each of the joins finds one row at most: both tables have a unique index on it. They cost a hash each, where
# EXISTS in the list of what is selected would look into both indexes for every contact.
COUNT = f"""
SELECT count(*), count(suppression.id), count(mail.id) FILTER (WHERE suppression.id IS NULL),
    (SELECT count(*) FROM campaigns_contactlist_contacts WHERE contactlist_id = ANY(%(lists)s))
FROM campaigns_contact contact
LEFT JOIN sending_suppression suppression ON lower(suppression.email) = lower(contact.email)
LEFT JOIN sending_queuedemail mail
    ON mail.campaign_id = %(campaign)s AND lower(mail.email) = lower(contact.email)
WHERE {IS_MEMBER}
"""  # noqa: S608


@dataclass(frozen=True)
class Recipients:
    """contacts: people on the lists. suppressed, queued (before): of them. repeated: entries on
    more than one list, which count once."""

    contacts: int
    suppressed: int
    queued: int
    repeated: int

    @property
    def new(self) -> int:
        """How many emails "Send campaign" would queue now."""
        return self.contacts - self.suppressed - self.queued


def parameters(campaign_id: int) -> dict[str, Any]:
    """What the statements of this module take for a campaign: its id and those of its lists."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contactlist_id FROM campaigns_campaign_lists WHERE campaign_id = %s", [campaign_id]
        )
        return {"campaign": campaign_id, "lists": [row[0] for row in cursor.fetchall()]}


def count_recipients(campaign_id: int) -> Recipients:
    """Counts them in two queries, by the same rule by which they are queued."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, parameters(campaign_id))
        contacts, suppressed, queued, entries = cursor.fetchone()
    return Recipients(contacts, suppressed, queued, repeated=entries - contacts)
