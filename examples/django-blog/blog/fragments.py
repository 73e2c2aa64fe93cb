"""
One reader's own corner in pages that are the same for everybody.

Where the edge can put fragments in (it says so in ``Surrogate-Capability``) a page only names them, and is marked by
``Surrogate-Control``. Anywhere else Django puts them in itself, and the page is that reader's own.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

CAPABILITY = "Surrogate-Capability"

Answer = Callable[[HttpRequest], HttpResponse]


def has_session(request: HttpRequest) -> bool:
    """Whether somebody in particular asks, without a look into the session: the edge's rule asks just this."""
    return settings.SESSION_COOKIE_NAME in request.COOKIES


def at_the_edge(request: HttpRequest) -> bool:
    """Whether the edge puts fragments in. Asking it is noted, since the page depends on it."""
    request.__dict__["_fragments"] = taken = "ESI/1.0" in request.headers.get(CAPABILITY, "")
    return taken


def are_put_in_here(request: HttpRequest) -> bool:
    """Whether the page has fragments that Django has put in itself."""
    return request.__dict__.get("_fragments") is False


def mark_fragments(get_response: Answer) -> Answer:
    """Marks the pages that name fragments: the edge looks for them in no other."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        named = request.__dict__.get("_fragments")
        if named is not None:
            patch_vary_headers(response, [CAPABILITY])
        if named:
            response["Surrogate-Control"] = 'content="ESI/1.0"'
        return response

    return middleware
