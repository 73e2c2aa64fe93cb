"""Purges and transactions: an order leaves when its transaction is committed, and not if it is rolled back."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterable
from weakref import WeakValueDictionary

from django.db import DEFAULT_DB_ALIAS, transaction

from .conf import Config, config
from .orders import EVERYTHING, Mode, Selectors, absolute_urls, clean_host, clean_prefix
from .sending import deliver
from .tags import TagLike, tag_text

logger = logging.getLogger("edgekeep")


class _Hook:
    """What Django keeps for us until the commit, and forgets when the savepoint it belongs to is rolled back."""

    def __init__(self, batch: _Batch, number: int, selectors: Selectors) -> None:
        self.batch = batch
        self.number = number
        self.selectors = selectors

    def __call__(self) -> None:
        self.batch.commit(self.number)


class _Batch:
    """
    The hooks of one database connection. Only Django holds them, so that those which are still there at the commit are
    exactly those which no rollback took away. The first that Django calls sends for itself and all after it.
    """

    def __init__(self) -> None:
        self._hooks: WeakValueDictionary[int, _Hook] = WeakValueDictionary()
        self._numbers = itertools.count()

    def add(self, selectors: Selectors, using: str) -> None:
        hook = _Hook(self, next(self._numbers), selectors)
        self._hooks[hook.number] = hook
        try:
            transaction.on_commit(hook, using=using)
        except transaction.TransactionManagementError:
            # Autocommit is off and there is no atomic(): nobody will tell us of the commit.
            logger.warning("a purge is sent before its transaction ends: use atomic(), not set_autocommit(False)")
            hook()

    def commit(self, first: int) -> None:
        # In a TestCase earlier hooks may wait for a commit that never comes.
        due = [(number, hook) for number, hook in self._hooks.items() if number >= first]
        if not any(number == first for number, _ in due):
            return
        together = Selectors()
        for number, hook in due:
            together.update(hook.selectors)
            del self._hooks[number]
        for order in together.orders():
            deliver(order)


class _Batches(threading.local):
    """Connections belong to threads."""

    def __init__(self) -> None:
        self.of: dict[str, _Batch] = {}


_batches = _Batches()


def add(selectors: Selectors, using: str | None = None) -> None:
    """Orders these when the transaction of ``using`` is committed; at once if there is none."""
    if selectors:
        alias = using or DEFAULT_DB_ALIAS
        _batches.of.setdefault(alias, _Batch()).add(selectors, alias)


def mode_of(settings: Config, soft: bool | None, refresh: bool | None) -> Mode:
    """The mode by what the caller says, else by the settings. ``refresh`` implies soft."""
    if refresh or (refresh is None and settings.refresh and soft is not False):
        return Mode.REFRESH
    return Mode.SOFT if soft or (soft is None and settings.soft) else Mode.HARD


def selectors_of(
    *,
    tags: Iterable[TagLike] = (),
    urls: Iterable[str] = (),
    prefixes: Iterable[str] = (),
    hosts: Iterable[str] = (),
    everything: bool = False,
    soft: bool | None = None,
    refresh: bool | None = None,
) -> Selectors:
    """Checks and collects; ValueError names what is wrong."""
    for name, given in {"tags": tags, "urls": urls, "prefixes": prefixes, "hosts": hosts}.items():
        if isinstance(given, str):
            raise ValueError(f"{name} must be a list, not one text")
    settings = config()
    mode = mode_of(settings, soft, refresh)
    selectors = Selectors()
    for tag in tags:
        selectors.add(("tags", tag_text(tag)), mode)
    for url in urls:
        for text in absolute_urls(url, settings.bases):
            selectors.add(("files", text), mode)
    for prefix in prefixes:
        selectors.add(("prefixes", clean_prefix(prefix)), mode)
    for host in hosts:
        selectors.add(("hosts", clean_host(host)), mode)
    if everything:
        selectors.add(EVERYTHING, mode)
    return selectors


def purge(
    *,
    tags: Iterable[TagLike] = (),
    urls: Iterable[str] = (),
    prefixes: Iterable[str] = (),
    hosts: Iterable[str] = (),
    everything: bool = False,
    soft: bool | None = None,
    refresh: bool | None = None,
    using: str | None = None,
) -> None:
    """
    Purges what is named, once the transaction of the database ``using`` is committed; everything ordered in one
    transaction goes out together. Tags may be objects; URLs may be paths, then those of every base.

    ``soft`` and ``refresh`` are by default as the settings say. ValueError names what is wrong; failures to send are
    logged and signalled, not raised.
    """
    chosen = selectors_of(
        tags=tags, urls=urls, prefixes=prefixes, hosts=hosts, everything=everything, soft=soft, refresh=refresh
    )
    add(chosen, using)
