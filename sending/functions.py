"""Functions of PostgreSQL that Django has no name for."""

from django.db.models import DateTimeField, Func


class ClockTimestamp(Func):
    """The database's clock at this moment; Now() is that of the transaction's begin."""

    function = "clock_timestamp"
    template = "%(function)s()"
    output_field = DateTimeField()
