"""
A backend for Wagtail's front-end cache (``wagtail.contrib.frontend_cache``):

    WAGTAILFRONTENDCACHE = {"edgekeep": {"BACKEND": "edgekeep.wagtail.EdgekeepBackend"}}

Wagtail then purges the pages that are published or unpublished. What it does not purge is purged by :func:`connect`,
which the application calls if Wagtail is there: the old addresses of pages that get another slug or another place, and
pages that become private or public, with all below them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_save
from wagtail.contrib.frontend_cache.backends import BaseBackend
from wagtail.contrib.frontend_cache.utils import get_backends
from wagtail.models import PageViewRestriction
from wagtail.signals import page_slug_changed, post_page_move

from .transactions import purge

logger = logging.getLogger("edgekeep")


class EdgekeepBackend(BaseBackend):  # type: ignore[misc]
    """
    Settings besides HOSTNAMES: SOFT and REFRESH (True or False; by default as EDGEKEEP says), and TAGS: tags of views
    that show several pages, such as a search, which are purged with every page.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(dict(params))
        self.soft: bool | None = params.get("SOFT")
        self.refresh: bool | None = params.get("REFRESH")
        self.tags: tuple[str, ...] = tuple(params.get("TAGS", ()))

    def purge(self, url: str) -> None:
        """One URL."""
        self.purge_batch([url])

    def purge_batch(self, urls: Iterable[str]) -> None:
        """Several, in as few orders as the limits allow, after the commit."""
        purge(urls=urls, soft=self.soft, refresh=self.refresh)
        if self.tags:
            # Without the URLs: only those can be fetched again.
            purge(tags=self.tags, soft=self.soft)


def connect() -> None:
    """Listens to Wagtail's signals about addresses and rights that change."""
    page_slug_changed.connect(_slug_changed, dispatch_uid="edgekeep")
    post_page_move.connect(_moved, dispatch_uid="edgekeep")
    pre_save.connect(_restriction_before, sender=PageViewRestriction, dispatch_uid="edgekeep")
    post_save.connect(_restriction_changed, sender=PageViewRestriction, dispatch_uid="edgekeep")
    post_delete.connect(_restriction_changed, sender=PageViewRestriction, dispatch_uid="edgekeep")


def _slug_changed(instance: Any, instance_before: Any, **_: Any) -> None:
    _purge_addresses(instance_before, instance)


def _moved(instance: Any, url_path_before: str, **_: Any) -> None:
    before = copy(instance)
    before.url_path = url_path_before
    _purge_addresses(before, instance)


def _purge_addresses(before: Any, after: Any) -> None:
    """Everything below the old address, which is gone, and below the new one, where there may be a stored 404."""
    try:
        old, new = before.get_full_url(), after.get_full_url()
        if old != new:
            _purge_below(old, new)
    except Exception:
        logger.exception("the addresses of page %s were not purged", after.pk)


def _restriction_before(instance: Any, **_: Any) -> None:
    """The restriction may move to another page: the one that it leaves becomes public."""
    before = PageViewRestriction.objects.filter(pk=instance.pk).select_related("page").first() if instance.pk else None
    if before is not None and before.page_id != instance.page_id:
        _purge_restricted(before)


def _restriction_changed(instance: Any, **_: Any) -> None:
    _purge_restricted(instance)


def _purge_restricted(restriction: Any) -> None:
    """A restriction holds for its page and for all below it. What was stored was for everybody, or leads to a login."""
    try:
        _purge_below(restriction.page.get_full_url())
    except Exception:
        logger.exception("the page %s, of which the privacy changed, was not purged", restriction.page_id)


def _purge_below(*urls: str | None) -> None:
    """These addresses and all below them, hard, and the tags of lists."""
    prefixes = [url for url in urls if url]
    if not prefixes:
        return
    tags = {tag for backend in get_backends().values() if isinstance(backend, EdgekeepBackend) for tag in backend.tags}
    purge(prefixes=prefixes, tags=sorted(tags), soft=False)
