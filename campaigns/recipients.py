"""Who gets a campaign: the contacts of its lists, once each, but for those who are suppressed."""

from dataclasses import dataclass

from django.db import connection

# What makes a contact (by this alias) a recipient of %(campaign)s; queueing and counting share it.
IS_MEMBER = """contact.id IN (
    SELECT member.contact_id
    FROM campaigns_campaign_lists list
    JOIN campaigns_contactlist_contacts member ON member.contactlist_id = list.contactlist_id
    WHERE list.campaign_id = %(campaign)s)"""
IS_SUPPRESSED = """EXISTS (
    SELECT 1 FROM sending_suppression suppression
    WHERE lower(suppression.email) = lower(contact.email))"""
IS_QUEUED = """EXISTS (
    SELECT 1 FROM sending_queuedemail mail
    WHERE mail.campaign_id = %(campaign)s AND lower(mail.email) = lower(contact.email))"""

COUNT = f"""
SELECT count(*), count(*) FILTER (WHERE is_suppressed),
    count(*) FILTER (WHERE is_queued AND NOT is_suppressed),
    (SELECT count(*) FROM campaigns_campaign_lists list
     JOIN campaigns_contactlist_contacts member ON member.contactlist_id = list.contactlist_id
     WHERE list.campaign_id = %(campaign)s)
FROM (SELECT {IS_SUPPRESSED} AS is_suppressed, {IS_QUEUED} AS is_queued
      FROM campaigns_contact contact WHERE {IS_MEMBER}) one
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


def count_recipients(campaign_id: int) -> Recipients:
    """Counts them in one query, by the same rule by which they are queued."""
    with connection.cursor() as cursor:
        cursor.execute(COUNT, {"campaign": campaign_id})
        contacts, suppressed, queued, entries = cursor.fetchone()
    return Recipients(contacts, suppressed, queued, repeated=entries - contacts)
