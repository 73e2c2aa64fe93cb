"""What a purge names, and the orders it is sent in.

An order is the body of one ``POST /.edgekeep/purge``. The limits are those of the receiving end.
"""

from __future__ import annotations

import enum
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from django.utils.encoding import iri_to_uri

#: Bytes of a tag.
TAG_BYTES_MAX = 1024
#: Tags of one response.
TAGS_MAX = 1000
#: Selectors of an order.
SELECTORS_MAX = 1000
#: Bytes of an order's body: 64 KiB.
ORDER_BYTES_MAX = 64 * 1024
#: Bytes of a URL. Longer ones are never stored, so that nothing of theirs can be purged.
URL_BYTES_MAX = 8192
#: What a body holds beside its selectors: names, brackets and the two flags, with room to spare.
FRAME_BYTES = 200

Field = Literal["tags", "files", "prefixes", "hosts", "purge_everything"]
Selector = tuple[Field, str]

EVERYTHING: Selector = ("purge_everything", "")


class Mode(enum.IntEnum):
    """How a page is purged. Of two, the larger holds."""

    SOFT = 0
    """It becomes stale: it may be served while it is refreshed, or while the origin fails."""
    REFRESH = 1
    """As SOFT, and Edgekeep fetches it again by itself. Only for URLs."""
    HARD = 2
    """It is gone."""


def clean_tag(tag: str) -> str:
    """The tag, or ValueError: 1 to 1,024 printable ASCII characters without blanks and commas."""
    if not isinstance(tag, str):
        raise ValueError(f"a tag is a text, not {type(tag).__name__}")
    if not tag or len(tag) > TAG_BYTES_MAX or not all("!" <= c <= "~" and c != "," for c in tag):
        form = f"1 to {TAG_BYTES_MAX} printable ASCII characters without blanks and commas"
        raise ValueError(f"{tag[:80]!r} is no tag: those are {form}")
    return tag


def absolute_urls(url: str, bases: Iterable[str]) -> list[str]:
    """
    The URL as Edgekeep knows it, without a fragment; a path (``/a?b``) becomes one URL for each base, which is a URL
    without a path. ValueError for anything else.
    """
    text = iri_to_uri(str(url)).partition("#")[0]
    texts = [f"{base}{text}" for base in bases] if text.startswith("/") and not text.startswith("//") else [text]
    for each in texts:
        parts = urlsplit(each)
        if parts.scheme not in ("http", "https") or not parts.hostname or any(c <= " " for c in each):
            raise ValueError(f"{str(url)[:80]!r} is neither a URL (https://…) nor a path (/…)")
        if len(each) > URL_BYTES_MAX:
            raise ValueError(f"the URL {each[:80]!r}… has more than {URL_BYTES_MAX} bytes: such pages are never stored")
    return texts


def clean_host(host: str) -> str:
    """The host name (with a port, if it has one), or ValueError."""
    if not host or not host.isascii() or any(c <= " " or c in "/?#@,\\" for c in host):
        raise ValueError(f"{host[:80]!r} is no host name, such as www.example.com")
    return host.lower()


def clean_prefix(prefix: str) -> str:
    """``host/path``, with or without a scheme, or ValueError."""
    text = iri_to_uri(prefix)
    host, _, _ = text.partition("://")[2].partition("/") if "://" in text else text.partition("/")
    if any(c in text for c in " ?#"):
        raise ValueError(f"{prefix[:80]!r} is no prefix: it has no query, fragment or blank")
    clean_host(host)
    return text


@dataclass(frozen=True)
class Order:
    """One order. Its id stays the same however often it is sent, so that it is done once."""

    selectors: tuple[Selector, ...]
    mode: Mode = Mode.HARD
    id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")

    def body(self) -> bytes:
        """The very bytes to sign and to send."""
        order: dict[str, object] = {}
        for name, text in self.selectors:
            if name == "purge_everything":
                order[name] = True
            else:
                texts = order.setdefault(name, [])
                assert isinstance(texts, list)
                texts.append(text)
        if self.mode is not Mode.HARD:
            order["soft"] = True
        if self.mode is Mode.REFRESH:
            order["refresh"] = True
        return json.dumps(order, separators=(",", ":")).encode("ascii")

    def __str__(self) -> str:
        """For logs: the first few of what it names."""
        named = [text or "everything" for _, text in self.selectors]
        more = f" and {len(named) - 5} more" if len(named) > 5 else ""
        return f"{self.id} ({self.mode.name.lower()}: {', '.join(named[:5])}{more})"


class Selectors:
    """A set of selectors, each with its mode; in the order in which they came."""

    def __init__(self) -> None:
        self._modes: dict[Selector, Mode] = {}

    def add(self, selector: Selector, mode: Mode) -> None:
        """Adds one. What is named twice is purged in the stronger way."""
        if mode is Mode.REFRESH and selector[0] != "files":
            mode = Mode.SOFT
        self._modes[selector] = max(mode, self._modes.get(selector, mode))

    def update(self, other: Selectors) -> None:
        for selector, mode in other._modes.items():
            self.add(selector, mode)

    def __bool__(self) -> bool:
        return bool(self._modes)

    def orders(self) -> Iterator[Order]:
        """As few orders as the limits allow. What a purge of everything covers is left out."""
        everything = self._modes.get(EVERYTHING)
        for mode in (Mode.HARD, Mode.SOFT, Mode.REFRESH):
            if everything is mode:
                yield Order((EVERYTHING,), mode)
            elif everything is Mode.HARD or (everything is Mode.SOFT and mode is Mode.SOFT):
                continue
            else:
                wanted = [selector for selector, own in self._modes.items() if own is mode]
                yield from (Order(part, mode) for part in _parts(wanted))


def _parts(selectors: list[Selector]) -> Iterator[tuple[Selector, ...]]:
    part: list[Selector] = []
    size = FRAME_BYTES
    for selector in selectors:
        length = len(json.dumps(selector[1])) + 1  # a comma
        if part and (len(part) == SELECTORS_MAX or size + length > ORDER_BYTES_MAX):
            yield tuple(part)
            part, size = [], FRAME_BYTES
        part.append(selector)
        size += length
    if part:
        yield tuple(part)
