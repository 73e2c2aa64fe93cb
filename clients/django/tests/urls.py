"""Views that tag their responses."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import cache_page

from edgekeep import add_tags, tag


@tag("front", "feed", "front")
def front(request: HttpRequest) -> HttpResponse:
    add_tags(request, ["article-2", "article-1"], "feed")
    return HttpResponse("front", headers={"Cache-Tag": "own, front"})


@tag(lambda request, name: f"shelf-{name}")
async def shelf(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(name)


@method_decorator(tag("class"), name="dispatch")
class ClassView(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("class")


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("plain")


def late(request: HttpRequest) -> TemplateResponse:
    def colour() -> str:
        add_tags(request, "from-the-template")
        return "red"

    template = engines["django"].from_string("{{ colour }}")
    return TemplateResponse(request, template, {"colour": colour})


def many(request: HttpRequest) -> HttpResponse:
    add_tags(request, [f"article-{number}" for number in range(int(request.GET["count"]))])
    return HttpResponse("many", headers={"Cache-Control": "max-age=60"})


def long(request: HttpRequest) -> HttpResponse:
    add_tags(request, [f"{number}{'x' * 1000}" for number in range(17)])
    return HttpResponse("long")


@cache_page(60)
@tag("stored")
def stored(request: HttpRequest) -> HttpResponse:
    return HttpResponse("stored")


def fails(request: HttpRequest) -> Any:
    add_tags(request, "a tag")
    return HttpResponse("never")


urlpatterns = [
    path("", front),
    path("shelf/<name>/", shelf),
    path("class/", ClassView.as_view()),
    path("plain/", plain),
    path("late/", late),
    path("many/", many),
    path("long/", long),
    path("stored/", stored),
    path("fails/", fails),
    path("", include("wagtail.urls")),
]
