"""Writes the rows of a file with a number of statements that doesn't depend on how many there are.

They are copied into a temporary table first, so memory stays bounded and duplicates are found
wherever they stand in the file. PostgreSQL's lower() decides which addresses are the same, as it
does in the constraint on Contact.
"""

import json
from collections.abc import Iterable

from django.db import connection
from django.db.backends.utils import CursorWrapper

from campaigns.importing.people import Person
from campaigns.importing.report import DETAILED, DuplicateRow, ImportReport
from campaigns.models import ContactList

# Any constant: one import writes at a time, so that two can't deadlock on each other's contacts.
IMPORT_LOCK = 0x696D706F7274

CREATE_STAGE = """
DROP TABLE IF EXISTS pg_temp.imported, pg_temp.imported_once;
CREATE TEMPORARY TABLE imported (
    line bigint NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    attributes jsonb NOT NULL,
    key text GENERATED ALWAYS AS (lower(email)) STORED
) ON COMMIT DROP
"""
COPY = "COPY imported (line, email, name, attributes) FROM STDIN"

# One row an address. Its first line counts; later ones fill in what was empty up to there:
# jsonb_object_agg keeps the last of equal keys, so the lines go into it from the last to the first.
MERGE_WITHIN_FILE = """
CREATE INDEX ON imported (key);
ANALYZE imported;
CREATE TEMPORARY TABLE imported_once ON COMMIT DROP AS
SELECT address.key, line, email, name,
    CASE WHEN rows = 1 THEN attributes ELSE (
        SELECT COALESCE(jsonb_object_agg(pair.key, pair.value ORDER BY imported.line DESC), '{}')
        FROM imported, jsonb_each(imported.attributes) AS pair
        WHERE imported.key = address.key
    ) END AS attributes
FROM (
    SELECT key, count(*) AS rows, min(line) AS line,
        (array_agg(email ORDER BY line))[1] AS email,
        COALESCE((array_agg(name ORDER BY line) FILTER (WHERE name <> ''))[1], '') AS name,
        (array_agg(attributes ORDER BY line))[1] AS attributes
    FROM imported GROUP BY key
) AS address;
ANALYZE imported_once
"""
COUNT_MERGED = "SELECT (SELECT count(*) FROM imported), (SELECT count(*) FROM imported_once)"
DUPLICATES = """
SELECT imported.line, imported_once.line
FROM imported JOIN imported_once ON imported.key = imported_once.key
WHERE imported.line <> imported_once.line
ORDER BY imported.line LIMIT %s
"""


def _full_name(attributes: str) -> str:
    parts = f"NULLIF({attributes}->>'first_name', ''), NULLIF({attributes}->>'last_name', '')"
    return f"left(concat_ws(' ', {parts}), 200)"


INSERT_NEW = f"""
INSERT INTO campaigns_contact (email, name, attributes, created_at)
SELECT email, COALESCE(NULLIF(name, ''), {_full_name("attributes")}), attributes, now()
FROM imported_once ORDER BY line
ON CONFLICT (lower(email)) DO NOTHING
"""  # noqa: S608

# A name that was made from its parts follows them; one that was given stays until another is given.
NEW_ATTRIBUTES = "contact.attributes || row.attributes"
NEW_NAME = f"""CASE
    WHEN row.name <> '' THEN row.name
    WHEN contact.name IN ('', {_full_name("contact.attributes")}) THEN {_full_name(f"({NEW_ATTRIBUTES})")}
    ELSE contact.name
END"""
IS_CHANGED = f"(contact.name, contact.attributes) IS DISTINCT FROM ({NEW_NAME}, {NEW_ATTRIBUTES})"
# The expressions stand on the contact itself, so that a change made meanwhile is not overwritten.
UPDATE_CHANGED = f"""
UPDATE campaigns_contact AS contact
SET name = {NEW_NAME}, attributes = {NEW_ATTRIBUTES}
FROM imported_once AS row
WHERE lower(contact.email) = row.key AND {IS_CHANGED}
"""  # noqa: S608
ADD_TO_LIST = """
INSERT INTO campaigns_contactlist_contacts (contactlist_id, contact_id)
SELECT %s, contact.id
FROM imported_once JOIN campaigns_contact AS contact ON lower(contact.email) = imported_once.key
ORDER BY contact.id
ON CONFLICT (contactlist_id, contact_id) DO NOTHING
"""
# What the three statements above would insert, change and add.
COUNT = f"""
SELECT count(*) FILTER (WHERE contact.id IS NULL),
    count(*) FILTER (WHERE contact.id IS NOT NULL AND {IS_CHANGED}),
    count(*) FILTER (WHERE member.id IS NULL)
FROM imported_once AS row
LEFT JOIN campaigns_contact AS contact ON lower(contact.email) = row.key
LEFT JOIN campaigns_contactlist AS list ON list.name = %s
LEFT JOIN campaigns_contactlist_contacts AS member
    ON member.contactlist_id = list.id AND member.contact_id = contact.id
"""  # noqa: S608
COUNT_SUPPRESSED = """
SELECT count(*) FROM imported_once AS row
JOIN sending_suppression AS suppression ON lower(suppression.email) = row.key
"""
SUPPRESS = """
INSERT INTO sending_suppression (email, reason, source, at)
SELECT email, %s, %s, now() FROM imported_once ORDER BY line
ON CONFLICT (lower(email)) DO NOTHING
"""


def stage(people: Iterable[Person]) -> None:
    """Copies the people into the transaction's temporary table, as they come."""
    with connection.cursor() as cursor:
        cursor.execute(CREATE_STAGE)
        with connection.wrap_database_errors, cursor.copy(COPY) as copy:
            for person in people:
                attributes = json.dumps(person.attributes, ensure_ascii=False)
                copy.write_row((person.line, person.email, person.name, attributes))


def write(report: ImportReport) -> None:
    """Writes what is staged to contacts and list, in the caller's transaction; counts into the report."""
    contact_list, _ = ContactList.objects.get_or_create(name=report.list_name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [IMPORT_LOCK])
        _merge_within_file(cursor, report)
        cursor.execute(INSERT_NEW)
        report.taken = cursor.rowcount
        report.steps += 1
        cursor.execute(UPDATE_CHANGED)
        # A row that was just inserted is equal to its staged one, so it is not among these.
        report.updated = cursor.rowcount
        report.steps += 1
        cursor.execute(ADD_TO_LIST, [contact_list.pk])
        report.added_to_list = cursor.rowcount
        report.suppressed = _count(cursor, COUNT_SUPPRESSED)
    _count_unchanged(report)


def count(report: ImportReport) -> None:
    """Counts into the report what write would do now, and writes nothing."""
    with connection.cursor() as cursor:
        _merge_within_file(cursor, report)
        cursor.execute(COUNT, [report.list_name])
        report.taken, report.updated, report.added_to_list = cursor.fetchone()
        report.suppressed = _count(cursor, COUNT_SUPPRESSED)
    _count_unchanged(report)


def write_suppressions(report: ImportReport) -> None:
    """Puts what is staged onto the suppression list; one that stands there keeps its reason and time."""
    with connection.cursor() as cursor:
        _merge_within_file(cursor, report)
        cursor.execute(SUPPRESS, [report.reason, report.filename[:200]])
        report.taken = cursor.rowcount
    _count_unchanged(report)


def count_suppressions(report: ImportReport) -> None:
    """Counts into the report what write_suppressions would do now, and writes nothing."""
    with connection.cursor() as cursor:
        _merge_within_file(cursor, report)
        report.taken = _count(cursor, "SELECT count(*) FROM imported_once") - _count(cursor, COUNT_SUPPRESSED)
    _count_unchanged(report)


def _count(cursor: CursorWrapper, statement: str) -> int:
    cursor.execute(statement)
    return cursor.fetchone()[0]


def _count_unchanged(report: ImportReport) -> None:
    report.unchanged = report.read - report.refused - report.taken - report.merged


def _merge_within_file(cursor: CursorWrapper, report: ImportReport) -> None:
    cursor.execute(MERGE_WITHIN_FILE)
    cursor.execute(COUNT_MERGED)
    rows, addresses = cursor.fetchone()
    report.steps += 1
    report.duplicates = rows - addresses
    cursor.execute(DUPLICATES, [DETAILED])
    report.duplicate_rows = [DuplicateRow(*lines) for lines in cursor.fetchall()]
