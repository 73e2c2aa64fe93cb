"""
A backend for Wagtail's front-end cache (``wagtail.contrib.frontend_cache``):

    WAGTAILFRONTENDCACHE = {"edgekeep": {"BACKEND": "edgekeep.wagtail.EdgekeepBackend"}}

Wagtail then purges the pages that are published or unpublished. What it does not purge, the old addresses of pages that
get another slug or another place, is purged by :func:`connect`, which the application calls if Wagtail is there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from wagtail.contrib.frontend_cache.backends import BaseBackend
from wagtail.signals import page_slug_changed, post_page_move

from .transactions import purge

logger = logging.getLogger("edgekeep")


class EdgekeepBackend(BaseBackend):  # type: ignore[misc]
    """Settings besides HOSTNAMES: SOFT and REFRESH (True or False; by default as EDGEKEEP says)."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(dict(params))
        self.soft: bool | None = params.get("SOFT")
        self.refresh: bool | None = params.get("REFRESH")

    def purge(self, url: str) -> None:
        """One URL."""
        self.purge_batch([url])

    def purge_batch(self, urls: Iterable[str]) -> None:
        """Several, in as few orders as the limits allow, after the commit."""
        purge(urls=urls, soft=self.soft, refresh=self.refresh)


def connect() -> None:
    """Listens to Wagtail's signals about addresses that change."""
    page_slug_changed.connect(_slug_changed, dispatch_uid="edgekeep")
    post_page_move.connect(_moved, dispatch_uid="edgekeep")


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
            purge(prefixes=[url for url in (old, new) if url], soft=False)
    except Exception:
        logger.exception("the addresses of page %s were not purged", after.pk)
