from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from django.utils.functional import cached_property
from psycopg.errors import ReadOnlySqlTransaction


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's connection, which is of no more use once its server is read-only.

    Django asks before each request and each job (CONN_HEALTH_CHECKS). A primary that was demoted keeps its
    sessions, and answers reads with what it last knew; a new connection finds the server that was promoted.
    """

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """Turns psycopg's errors into Django's."""
        return _Errors(self)

    def is_usable(self) -> bool:
        """Whether the server answers and takes writes, as far as it says so itself."""
        return super().is_usable() and not self._is_read_only()

    def _is_read_only(self) -> bool:
        # PostgreSQL 14 and newer report both by themselves, with each change: no further question.
        told = self.connection.info.parameter_status
        return "on" in (told("default_transaction_read_only"), told("in_hot_standby"))


class _Errors(DatabaseErrorWrapper):
    """A write that a read-only server refused is an OperationalError: it may go through on the next primary.

    Of itself it would be an InternalError, as are errors of the program, which waiting does not mend.
    """

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, ReadOnlySqlTransaction):
            self.wrapper.errors_occurred = True
            raise OperationalError(*error.args).with_traceback(traceback) from error
        super().__exit__(kind, error, traceback)
