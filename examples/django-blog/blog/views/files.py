"""
Static files and uploads. Their names have digests, so each is asked for once in a year and lies at the edge then:
Django's own file view is fast enough behind it.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.static import serve

from ..public import forever


@forever
def static_file(request: HttpRequest, path: str) -> HttpResponse:
    return serve(request, path, document_root=settings.STATIC_ROOT)


@forever
def media_file(request: HttpRequest, path: str) -> HttpResponse:
    return serve(request, path, document_root=settings.MEDIA_ROOT)
