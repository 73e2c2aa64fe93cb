"""The middleware that writes ``Cache-Tag``. In MIDDLEWARE: ``"edgekeep.middleware.cache_tags"``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from .tags import write_tags


@sync_and_async_middleware
def cache_tags(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Writes the tags that views, templates and other middleware have collected while they answered."""
    if iscoroutinefunction(get_response):
        answer_async = cast(Callable[[HttpRequest], Awaitable[HttpResponseBase]], get_response)

        async def middleware_async(request: HttpRequest) -> HttpResponseBase:
            return write_tags(request, await answer_async(request))

        return middleware_async

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = get_response(request)
        return write_tags(request, response)

    return middleware
