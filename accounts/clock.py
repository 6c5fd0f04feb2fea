from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """The one clock's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        return cursor.fetchone()[0]
