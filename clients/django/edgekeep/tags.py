"""Tags of responses: which purge takes a page away."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from hashlib import sha256
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast
from urllib.parse import quote

from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from .orders import TAG_BYTES_MAX, TAGS_MAX, clean_tag

logger = logging.getLogger("edgekeep")

#: A tag, or the object whose tag is meant.
TagLike = str | Model

View = TypeVar("View", bound=Callable[..., Any])

FIELD = "Cache-Tag"
#: Bytes of the field: 1,000 tags of 15 bytes and a comma; also as much as Cloudflare takes.
FIELD_BYTES_MAX = 16 * 1024

_COLLECTED = "_edgekeep_tags"

#: What stands in a tag for itself; everything else is percent-encoded. No "%", so that two keys never share a tag.
_SAFE = "!#$&'()*+/:;=?@[]^_`{|}~-."


def tag_for(instance: Model) -> str:
    """
    The tag of an object: ``article-7``, for article 7. Proxies share the tags of their model; a key that is not fit for
    a tag is percent-encoded, and one that is too long becomes its digest. ValueError for an object without a key.
    """
    if instance.pk is None:
        raise ValueError(f"{instance._meta.label} has no key yet, and so no tag: save it first")
    model = instance._meta.concrete_model or type(instance)
    tag = f"{model._meta.model_name}-{quote(str(instance.pk), safe=_SAFE)}"
    if len(tag) > TAG_BYTES_MAX:
        tag = f"{model._meta.model_name}-{sha256(str(instance.pk).encode()).hexdigest()}"
    return clean_tag(tag)


def tag_text(tag: TagLike) -> str:
    """The tag itself, or ValueError."""
    return tag_for(tag) if isinstance(tag, Model) else clean_tag(tag)


def add_tags(request: HttpRequest, *tags: TagLike | Iterable[TagLike]) -> None:
    """
    Tags the response to this request: ``add_tags(request, "front", article, article.comments.all())``. Takes tags,
    objects, and iterables of both. ValueError for what is no tag: without it the page could not be purged.
    """
    collected: dict[str, None] = request.__dict__.setdefault(_COLLECTED, {})
    for given in tags:
        several = [given] if isinstance(given, (str, Model)) else given
        for each in several:
            collected[tag_text(each)] = None


def tag(*names: TagLike | Callable[..., TagLike | Iterable[TagLike]]) -> Callable[[View], View]:
    """
    Decorates a view, sync or async, with tags: ``@tag("front", "articles")``. A callable is given what the view is
    given: ``@tag(lambda request, slug: f"shelf-{slug}")``. A class is decorated by ``@method_decorator(tag("front"),
    name="dispatch")``.
    """
    constant = [tag_text(name) for name in names if not callable(name)]
    dynamic = [name for name in names if callable(name)]

    def collect(request: HttpRequest, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        add_tags(request, constant, *(name(request, *args, **kwargs) for name in dynamic))

    def decorate(view: View) -> View:
        if iscoroutinefunction(view):

            async def tagged_async(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
                collect(request, args, kwargs)
                response: HttpResponseBase = await view(request, *args, **kwargs)
                return write_tags(request, response)

            return cast(View, functools.wraps(view)(tagged_async))

        def tagged(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            collect(request, args, kwargs)
            response: HttpResponseBase = view(request, *args, **kwargs)
            return write_tags(request, response)

        return cast(View, functools.wraps(view)(tagged))

    return decorate


Response = TypeVar("Response", bound=HttpResponseBase)


def write_tags(request: HttpRequest, response: Response) -> Response:
    """
    Writes ``Cache-Tag``: what the response has already, and what was collected, each once. A response with more than
    the edge takes could not be purged by all of them, and is therefore kept from being stored.
    """
    collected: dict[str, None] = getattr(request, _COLLECTED, {})
    if not collected:
        return response
    own = [text.strip() for text in response.headers.get(FIELD, "").split(",")]
    tags = list(dict.fromkeys([*filter(None, own), *collected]))
    value = ",".join(tags)
    if len(tags) <= TAGS_MAX and len(value) <= FIELD_BYTES_MAX:
        response.headers[FIELD] = value
    else:
        logger.warning(
            "%s has %d tags in %d bytes; at most %d in %d can be purged, so it is not to be stored",
            request.path,
            len(tags),
            len(value),
            TAGS_MAX,
            FIELD_BYTES_MAX,
        )
        response.headers.pop(FIELD, None)
        response.headers["CDN-Cache-Control"] = "no-store"
    return response
