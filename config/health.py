"""GET /healthz: for load balancers and monitoring. Shows no secrets, so it asks for no log-in."""

from django.db import Error, connection, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from sending import health

ANSWER_WITHIN = "5s"  # of each statement: somebody may hold a table's lock


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when this process answers, the database does, and sending is well; else 503.

    {"web": true, "database": bool, "sending": bool or null, "heartbeat_age": seconds or null,
    "stuck": bool or null}; null: not known, as the database is away.
    """
    try:
        seen = _look()
    except Error:
        unknown = {"sending": None, "heartbeat_age": None, "stuck": None}
        return JsonResponse({"web": True, "database": False, **unknown}, status=503)
    age = None if seen.silent_for is None else round(seen.silent_for, 1)
    told = {
        "web": True,
        "database": True,
        "sending": seen.is_alive,
        "heartbeat_age": age,
        "stuck": seen.is_stuck,
    }
    return JsonResponse(told, status=200 if seen.is_well else 503)


def _look() -> health.Health:
    """Over a new connection: on one that was kept, to a server that hangs, it would wait for ever."""
    if not connection.in_atomic_block:
        connection.close()
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [ANSWER_WITHIN])
        return health.look()
