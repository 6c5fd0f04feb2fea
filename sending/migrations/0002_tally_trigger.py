from django.db import migrations

COUNT = """
CREATE FUNCTION sending_count_{when}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sending_tally (campaign_id, account_id, status, count)
    SELECT campaign_id, account_id, status, sum(n) FROM ({rows}) AS change
    GROUP BY campaign_id, account_id, status HAVING sum(n) <> 0;
    RETURN NULL;
END $$;
CREATE TRIGGER sending_count_{when} AFTER {when} ON sending_queuedemail
    REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION sending_count_{when}();
"""
DROP = "DROP TRIGGER sending_count_{when} ON sending_queuedemail; DROP FUNCTION sending_count_{when}();"
NEW = "SELECT campaign_id, account_id, status, 1 AS n FROM new_rows"
OLD = "SELECT campaign_id, account_id, status, -1 AS n FROM old_rows"
NEW_TABLE, OLD_TABLE = "NEW TABLE AS new_rows", "OLD TABLE AS old_rows"


def count(when: str, rows: str, tables: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        COUNT.format(when=when, rows=rows, tables=tables), DROP.format(when=when)
    )


class Migration(migrations.Migration):
    """The queue counts itself: see sending.models.Tally."""

    dependencies = [("sending", "0001_initial")]
    operations = [
        count("insert", NEW, NEW_TABLE),
        count("update", f"{NEW} UNION ALL {OLD}", f"{OLD_TABLE} {NEW_TABLE}"),
        count("delete", OLD, OLD_TABLE),
    ]
