"""Live parts of a page: asked for every two seconds, and sent only where they have changed."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils import translation
from django.utils.http import parse_etags, quote_etag

from sending import freshness


def version(request: HttpRequest) -> str:
    """The ETag of what this person sees. To be asked first: a change meanwhile is told twice, then."""
    facts = freshness.version(settings.SILENT_AFTER)
    return quote_etag(f"{facts}-{request.user.pk}-{translation.get_language()}")


def answer(request: HttpRequest, etag: str, make: Callable[[], HttpResponse]) -> HttpResponse:
    """What make() returns, with its ETag; 304, and nothing is made, where the asker knows this version."""
    is_known = etag in parse_etags(request.headers.get("If-None-Match", ""))
    response = HttpResponseNotModified() if is_known else make()
    response["ETag"] = etag
    return response
