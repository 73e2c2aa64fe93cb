"""
The blog's settings of a careless site: every response is public for ten minutes, including pages with forms and tokens,
and only excludes its cookie from caches. Every request reads the session, so that Django adds "Vary: Cookie" to each
response.
"""

from collections.abc import Callable

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as CAREFUL
from django.http import HttpRequest, HttpResponse

MIDDLEWARE = [
    "careless.public",
    *(each for each in CAREFUL if each != "blog.middleware.cache_policy"),
    "careless.reads_session",
]


def public(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        del response["CDN-Cache-Control"]
        response["Cache-Control"] = 'public, max-age=600, no-cache="set-cookie"'
        return response

    return middleware


def reads_session(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        request.session.get("theme")
        return get_response(request)

    return middleware
