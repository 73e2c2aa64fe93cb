"""Which purges a model's objects cause when they are saved, deleted or linked to others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.apps import apps
from django.db.models import Model

from .conf import config
from .orders import Mode, Selectors, absolute_urls
from .tags import TagLike, tag_for, tag_text
from .transactions import add, mode_of

ModelType = TypeVar("ModelType", bound=type[Model])

Tags = Iterable[TagLike] | Callable[[Any], Iterable[TagLike]]
Urls = Iterable[str] | Callable[[Any], Iterable[str]]
Lists = Iterable[TagLike] | Callable[[Any], Iterable[TagLike] | Mapping[TagLike, object]]


@dataclass(frozen=True)
class State:
    """What one state of an object stands for; the default is an object that nobody sees."""

    tags: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()
    lists: Mapping[str, object] = field(default_factory=dict)


NOWHERE = State()


@dataclass(frozen=True)
class Watch:
    """One ``@watch`` of a model."""

    tags: Tags
    urls: Urls
    lists: Lists
    when: Callable[[Any], bool] | None
    links: bool
    soft: bool | None
    refresh: bool | None

    def state(self, instance: Model) -> State:
        """What the object stands for as it is now."""
        if self.when is not None and not self.when(instance):
            return NOWHERE
        tags = {tag_for(instance), *map(tag_text, _given(self.tags, instance))}
        urls = set(map(str, _given(self.urls, instance)))
        own_url = getattr(instance, "get_absolute_url", None)
        if own_url is not None:
            urls.add(str(own_url()))
        lists = _given(self.lists, instance)
        places = lists if isinstance(lists, Mapping) else dict.fromkeys(lists)
        return State(frozenset(tags), frozenset(urls), {tag_text(tag): place for tag, place in places.items()})

    def selectors(self, before: State, after: State, by_link: bool = False) -> Selectors:
        """What a change from one state to the other makes old. ``by_link``: only its relations changed."""
        settings = config()
        mode = mode_of(settings, self.soft, self.refresh)
        moved = {
            tag
            for tag in before.lists.keys() | after.lists.keys()
            if tag not in before.lists or tag not in after.lists or before.lists[tag] != after.lists[tag]
        }
        selectors = Selectors()
        for tag in sorted(moved):
            selectors.add(("tags", tag), mode)
        if by_link and not self.links:
            return selectors
        for tag in sorted(before.tags | after.tags):
            selectors.add(("tags", tag), mode)
        for url in sorted(before.urls | after.urls):
            for text in absolute_urls(url, settings.bases):
                # A page that is no more must not be served stale, nor fetched again.
                selectors.add(("files", text), mode if url in after.urls else Mode.HARD)
        return selectors


def _given(value: Any, instance: Model) -> Any:
    return value(instance) if callable(value) else value


_watches: dict[type[Model], list[Watch]] = {}


def watch(
    *,
    tags: Tags = (),
    urls: Urls = (),
    lists: Lists = (),
    when: Callable[[Any], bool] | None = None,
    links: bool = True,
    soft: bool | None = None,
    refresh: bool | None = None,
) -> Callable[[ModelType], ModelType]:
    """
    Decorates a model: whenever one of its objects is saved, deleted, or linked to others by a many-to-many relation,
    this is purged after the commit, for the state before and the state after:

    - the object's own tag (``article-7``) and its ``get_absolute_url()``, if it has one;
    - ``tags`` and ``urls``: more of them, as a list, or a function of the object;
    - ``lists``: tags of pages that list such objects. They are purged only when the object enters or leaves the list,
      or, if a dict is given, when its place there (the dict's value) changes.

    ``when`` says whether the object is visible; as long as it is not, it purges nothing. With ``links=False`` a
    many-to-many relation purges lists at most: for a topic, whose own pages do not change because an article is added.

    For a model of another's package, call it: ``watch(tags=…)(User)``. Several watches of one model all hold;
    subclasses and proxies inherit them. Changes that Django sends no signals for (``update()``, ``bulk_create()``,
    SQL) need :func:`purge_objects`.
    """

    def register(model: ModelType) -> ModelType:
        from . import changes

        _watches.setdefault(model, []).append(Watch(tags, urls, lists, when, links, soft, refresh))
        if apps.ready:
            changes.connect(model)
        return model

    return register


def watched_models() -> list[type[Model]]:
    """The models with a watch of their own."""
    return list(_watches)


def watches_of(model: type[Model]) -> list[Watch]:
    """Those of the model and of the models that it descends from."""
    return [each for base in model.__mro__ for each in _watches.get(base, [])]


def purge_objects(objects: Iterable[Model], using: str | None = None) -> None:
    """
    Purges what the watches name of these objects as they are now: after ``update()``, ``bulk_create()`` or SQL, and
    before a change that may move them.
    """
    together = Selectors()
    for instance in objects:
        for each in watches_of(type(instance)):
            together.update(each.selectors(NOWHERE, each.state(instance)))
    add(together, using)
