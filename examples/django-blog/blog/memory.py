"""
The application tier: what is dear to compute is kept in Django's cache, under keys with a version.

The version is a row of the database that changes in the same transaction as what it stands for. So it needs no
messages between processes, a rollback takes it back, and when a purge leaves (after the commit) no reader can be given,
from this tier, what was true before.
"""

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache
from django.db.models import F
from django.db.models.signals import m2m_changed, post_delete, post_save
from django.http import HttpRequest

from .models import Article, Author, Revision, Tag

Value = TypeVar("Value")

_READ = "_blog_revision"


def revision(request: HttpRequest) -> int:
    """The version, read once a request, and before anything that is kept under it."""
    known: int | None = request.__dict__.get(_READ)
    if known is None:
        known = request.__dict__[_READ] = Revision.objects.values_list("number", flat=True).filter(pk=1).first() or 0
    return known


def remembered(request: HttpRequest, name: str, make: Callable[[], Value]) -> Value:
    """The value that ``make`` made when nothing had changed since; None is not kept."""
    return cache.get_or_set(f"{name}:{revision(request)}", make)


def advance(**_: object) -> None:
    """Something changed: what is kept is no longer asked for. (Its old keys fall out by their age.)"""
    if not Revision.objects.filter(pk=1).update(number=F("number") + 1):
        Revision.objects.create(pk=1, number=1)


def connect() -> None:
    for model in (Article, Author, Tag):
        post_save.connect(advance, sender=model, dispatch_uid="blog.memory")
        post_delete.connect(advance, sender=model, dispatch_uid="blog.memory")
    m2m_changed.connect(advance, sender=Article.tags.through, dispatch_uid="blog.memory")
