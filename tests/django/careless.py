"""
The blog's settings as a careless site might have them: whatever a view answers is public for ten minutes, the pages with
forms and tokens included, and who caches them is only asked to leave the cookie out. And each looks at the session, so
that Django says "Vary: Cookie" of each.
"""

from collections.abc import Callable

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as CAREFUL
from django.http import HttpRequest, HttpResponse

MIDDLEWARE = [
    "careless.public",
    *(each for each in CAREFUL if each != "blog.middleware.cache_policy"),
    "careless.looks_at_the_session",
]


def public(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        del response["CDN-Cache-Control"]
        response["Cache-Control"] = 'public, max-age=600, no-cache="set-cookie"'
        return response

    return middleware


def looks_at_the_session(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        request.session.get("theme")
        return get_response(request)

    return middleware
