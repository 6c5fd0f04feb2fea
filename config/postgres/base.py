from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's connection, which is of no more use once its server is read-only.

    Django asks before each request and each job (CONN_HEALTH_CHECKS). A primary that was demoted keeps its
    sessions, and answers reads with what it last knew; a new connection finds the server that was promoted.
    """

    def is_usable(self) -> bool:
        """Whether the server answers and takes writes, as far as it says so itself."""
        return super().is_usable() and not self._is_read_only()

    def _is_read_only(self) -> bool:
        # PostgreSQL 14 and newer report both by themselves, with each change: no further question.
        told = self.connection.info.parameter_status
        return "on" in (told("default_transaction_read_only"), told("in_hot_standby"))
