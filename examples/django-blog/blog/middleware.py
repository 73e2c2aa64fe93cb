"""What holds for all answers: who may keep them, what follows a write, and what they cost."""

import json
import logging
import os
import time
from collections.abc import Callable

import edgekeep
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse

from .fragments import are_put_in_here

logger = logging.getLogger("blog")

Answer = Callable[[HttpRequest], HttpResponse]

#: For as long as a purge may take to be in force everywhere, who wrote is answered by Django itself: edgekeep.toml.
WROTE_COOKIE = "wrote"
WROTE_SECONDS = 10
#: How long a writer waits for the edge to take the purge. After that the thread goes on alone.
PURGE_WAIT_SECONDS = 2.0

SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


def cache_policy(get_response: Answer) -> Answer:
    """Private is what does not say otherwise, and what says public but was made for one reader."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "private, no-store"
        personal = bool(response.cookies) or "cookie" in response.get("Vary", "").lower()
        if personal and "public" in response["Cache-Control"]:
            if not are_put_in_here(request):
                logger.error(
                    "%s is public, but its view looked at a cookie or set one: it is not to be stored", request.path
                )
            response["Cache-Control"] = "private, no-store"
            del response["CDN-Cache-Control"]
        return response

    return middleware


def after_writes(get_response: Answer) -> Answer:
    """Who has written reads it: the answer waits a moment for the purge, and the next few seconds pass by the cache."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.method not in SAFE and response.status_code < 400:
            edgekeep.flush(PURGE_WAIT_SECONDS)
            response.set_cookie(WROTE_COOKIE, "1", max_age=WROTE_SECONDS, httponly=True, samesite="Lax")
        return response

    return middleware


def count_queries(get_response: Answer) -> Answer:
    """Counts the database queries of each request: REQUEST_LOG and COUNT_QUERIES in the settings."""
    log = settings.REQUEST_LOG and os.open(settings.REQUEST_LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    if not log and not settings.COUNT_QUERIES:
        return get_response

    def middleware(request: HttpRequest) -> HttpResponse:
        count = 0

        def counted(execute: Callable, *arguments: object) -> object:
            nonlocal count
            count += 1
            return execute(*arguments)

        start = time.perf_counter()
        with connection.execute_wrapper(counted):
            response = get_response(request)
        if settings.COUNT_QUERIES:
            response["X-DB-Queries"] = str(count)
        if log:
            line = {
                "method": request.method,
                "path": request.get_full_path(),
                "status": response.status_code,
                "queries": count,
                "ms": round((time.perf_counter() - start) * 1000, 1),
            }
            os.write(
                log, json.dumps(line).encode() + b"\n"
            )  # short, and appended: lines of several processes stay whole
        return response

    return middleware
