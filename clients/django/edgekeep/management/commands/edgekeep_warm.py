"""``manage.py edgekeep_warm``: have the edge fetch pages before readers do."""

from __future__ import annotations

import gzip
import io
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...conf import config
from ...transactions import selectors_of
from ..sending import send_all

#: The protocol's own limits (https://www.sitemaps.org/protocol.html): bytes of a sitemap, and sitemaps of an index.
SITEMAP_BYTES_MAX = 50 * 1024 * 1024
SITEMAPS_MAX = 50_000


class Command(BaseCommand):
    help = (
        "Orders a soft purge with refresh for URLs, those of the site's sitemap by default: they stay in service while "
        "Edgekeep fetches them anew. Needs an Edgekeep that knows refresh."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", action="append", default=[], metavar="URL", help="a URL, or a path of all BASES")
        parser.add_argument("--sitemap", action="append", default=[], metavar="URL", help="a sitemap or an index")
        parser.add_argument("--limit", type=int, default=10_000, help="of how many URLs at most (10000)")
        parser.add_argument("--dry-run", action="store_true", help="print the orders, and send nothing")

    def handle(self, **options: Any) -> None:
        settings = config()
        sitemaps = options["sitemap"] or ([] if options["url"] else ["/sitemap.xml"])
        if sitemaps and not settings.site:
            raise CommandError("EDGEKEEP['SITE'] is not set: where is the sitemap?")
        found = (url for sitemap in sitemaps for url in _urls(urljoin(settings.site + "/", sitemap)))
        try:
            urls = [*options["url"], *islice(found, max(0, options["limit"] - len(options["url"])))]
            selectors = selectors_of(urls=urls, refresh=True)
        except ValueError as error:
            raise CommandError(str(error)) from None
        if not selectors:
            raise CommandError("There is no URL to warm.")
        send_all(self, list(selectors.orders()), dry_run=options["dry_run"])


def _urls(address: str) -> Iterator[str]:
    """The URLs of a sitemap; of an index, those of its sitemaps."""
    root = _sitemap(address)
    if not root.tag.endswith("}sitemapindex"):
        yield from _locations(root)
        return
    for each in islice(_locations(root), SITEMAPS_MAX):
        yield from _locations(_sitemap(each))


def _locations(root: ElementTree.Element) -> Iterator[str]:
    for entry in root:
        for each in entry:
            if each.tag.endswith("}loc") and each.text and each.text.strip():
                yield each.text.strip()


def _sitemap(address: str) -> ElementTree.Element:
    if urlsplit(address).scheme not in ("http", "https"):
        raise CommandError(f"{address} is no http address")
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            content: bytes = answer.read(SITEMAP_BYTES_MAX + 1)
        if content.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as unpacked:
                content = unpacked.read(SITEMAP_BYTES_MAX + 1)
        if len(content) > SITEMAP_BYTES_MAX:
            raise CommandError(f"{address} has more than {SITEMAP_BYTES_MAX} bytes")
        return ElementTree.fromstring(content)
    except (OSError, EOFError, ElementTree.ParseError) as error:
        raise CommandError(f"{address} is not a sitemap that can be read: {error}") from None
