"""GET /healthz: for load balancers and monitoring. Shows no secrets, so it asks for no log-in."""

from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from sending import health


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 when this process answers, the database does, and sending is well; else 503.

    {"web": true, "database": bool, "sending": bool or null, "heartbeat_age": seconds or null,
    "stuck": bool or null}; null: not known, as the database is away.
    """
    try:
        seen = health.look()
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
