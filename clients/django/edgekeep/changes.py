"""Django's model signals, turned into purges: the state before a change is read, compared, and ordered with the new."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db.models import ForeignKey, Model
from django.db.models.fields import NOT_PROVIDED
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save

from .orders import Selectors
from .tags import tag_for
from .transactions import add
from .watching import NOWHERE, State, Watch, watched_models, watches_of

logger = logging.getLogger("edgekeep")

#: States by watch.
States = list[tuple[Watch, State]]

_BEFORE_SAVE = "_edgekeep_before_save"
_BEFORE_LINK = "_edgekeep_before_link"


def connect(model: type[Model]) -> None:
    """Listens to the signals of a watched model, its subclasses and proxies, and of their many-to-many relations."""
    for each in apps.get_models(include_auto_created=True):
        if not issubclass(each, model):
            continue
        for signal, receiver in ((pre_save, _before_save), (post_save, _after_save), (pre_delete, _before_delete)):
            signal.connect(receiver, sender=each, dispatch_uid="edgekeep")
        for field in each._meta.get_fields(include_hidden=True):
            if field.many_to_many:
                relation = getattr(field, "remote_field", None)
                through = getattr(field, "through", None) or getattr(relation, "through", None)
                if through is not None:
                    m2m_changed.connect(_link_changed, sender=through, dispatch_uid="edgekeep")


def connect_all() -> None:
    """Once all models are there."""
    for model in watched_models():
        connect(model)


def _guarded(receiver: Callable[..., None]) -> Callable[..., None]:
    """A purge that cannot be made out must not undo the change: an error in the log, and the rest goes on."""

    @functools.wraps(receiver)
    def guarded(**arguments: Any) -> None:
        try:
            receiver(**arguments)
        except Exception:
            instance: Model = arguments["instance"]
            logger.exception("a change of %s %s was not purged", instance._meta.label, instance.pk)

    return guarded


def _states(instance: Model) -> States:
    """By each watch. Of one that fails, which is logged, the object's own tag is left."""
    found = []
    for each in watches_of(type(instance)):
        try:
            found.append((each, each.state(instance)))
        except Exception:
            logger.exception("what to purge of %s %s is not known", instance._meta.label, instance.pk)
            found.append((each, State(frozenset({tag_for(instance)}))))
    return found


def _order(before: States, after: States, using: str, by_link: bool = False) -> None:
    known = {id(watch): state for watch, state in before}
    together = Selectors()
    for watch, state in after:
        together.update(watch.selectors(known.pop(id(watch), NOWHERE), state, by_link))
    for watch, state in before:
        if id(watch) in known:
            together.update(watch.selectors(state, NOWHERE, by_link))
    add(together, using)


@_guarded
def _before_save(sender: type[Model], instance: Model, raw: bool, using: str, **_: Any) -> None:
    # loaddata: what the object refers to may not be there yet.
    instance.__dict__.pop(_BEFORE_SAVE, None)
    if raw or instance.pk is None:
        return
    if instance._state.adding and sender._meta.pk.default is not NOT_PROVIDED:
        return  # a key of its own making, such as a UUID: Django inserts it without a look, too
    stored = sender._base_manager.using(using).filter(pk=instance.pk).first()
    if stored is not None:
        instance.__dict__[_BEFORE_SAVE] = _states(stored)


@_guarded
def _after_save(sender: type[Model], instance: Model, raw: bool, using: str, **_: Any) -> None:
    before: States = instance.__dict__.pop(_BEFORE_SAVE, [])
    if not raw:
        _order(before, _states(instance), using)


@_guarded
def _before_delete(sender: type[Model], instance: Model, using: str, **_: Any) -> None:
    # Already within the transaction that deletes; afterwards the relations would be gone.
    _order(_states(instance), [], using)


@_guarded
def _link_changed(
    sender: type[Model], instance: Model, action: str, model: type[Model], pk_set: set[Any] | None, using: str, **_: Any
) -> None:
    """Both ends of a link change. All actions come in pairs, ``pre_…`` and ``post_…``, within one transaction."""
    stage, _sep, name = action.partition("_")
    waiting: dict[object, tuple[list[Model], list[States]]] = instance.__dict__.setdefault(_BEFORE_LINK, {})
    if stage == "pre":
        ends = [instance, *_other_ends(sender, instance, model, pk_set, using)]
        waiting[sender, name] = (ends, [_states(end) for end in ends])
        return
    ends, before = waiting.pop((sender, name), ([instance], [[]]))
    for end, states in zip(ends, before, strict=True):
        _order(states, _states(end), using, by_link=True)


def _other_ends(
    through: type[Model], instance: Model, model: type[Model], pk_set: set[Any] | None, using: str
) -> list[Model]:
    """The watched objects that the instance is being linked to or parted from."""
    if not watches_of(model):
        return []
    if pk_set is not None:
        return list(model._base_manager.using(using).filter(pk__in=pk_set))
    # clear() does not say which: those that are linked now. Of a relation of a model with itself, both directions.
    links = through._base_manager.using(using)
    keys = [each for each in through._meta.get_fields() if isinstance(each, ForeignKey)]
    found: dict[Any, Model] = {}
    for near in keys:
        for far in keys:
            if near is far or not isinstance(instance, near.related_model) or not issubclass(model, far.related_model):
                continue
            own = getattr(instance, near.target_field.attname)
            others = links.filter(**{near.attname: own}).values_list(far.attname, flat=True)
            wanted = model._base_manager.using(using).filter(**{f"{far.target_field.name}__in": list(others)})
            found.update((other.pk, other) for other in wanted)
    return list(found.values())
