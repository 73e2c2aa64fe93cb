"""Feeds and the sitemap."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.sitemaps import Sitemap
from django.contrib.syndication.views import Feed
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.feedgenerator import Atom1Feed
from edgekeep import add_tags, tag_for

from .models import Article, Author, Tag
from .public import tag_articles

ARTICLES = 20


class Newest(Feed):
    """``/feed/``: the newest articles."""

    feed_type = Atom1Feed
    title = "Fathom & Furrow"
    subtitle = "A journal of water, land and the work between them"

    def get_object(self, request: HttpRequest) -> Any:
        add_tags(request, "front")
        return self._articles(request, Article.objects.published())

    def _articles(self, request: HttpRequest, articles: Any) -> list[Article]:
        chosen = list(articles.for_lists()[:ARTICLES])
        tag_articles(request, chosen)
        return chosen

    def link(self, obj: Any) -> str:
        return reverse("front")

    def items(self, obj: Any) -> Iterable[Article]:
        return obj

    def item_title(self, item: Article) -> str:
        return item.title

    def item_description(self, item: Article) -> str:
        return item.summary

    def item_author_name(self, item: Article) -> str:
        return item.author.name

    def item_categories(self, item: Article) -> list[str]:
        return [tag.name for tag in item.tags.all()]

    def item_pubdate(self, item: Article) -> datetime:
        return item.published_at

    def item_updateddate(self, item: Article) -> datetime:
        return item.updated_at


class NewestOfTag(Newest):
    """``/tags/tea/feed/``."""

    def get_object(self, request: HttpRequest, slug: str) -> Any:
        tag = get_object_or_404(Tag, slug=slug)
        add_tags(request, tag, f"{tag_for(tag)}-articles")
        return tag, self._articles(request, tag.articles.published())

    def title(self, obj: Any) -> str:
        return f"Fathom & Furrow: {obj[0].name}"

    def link(self, obj: Any) -> str:
        return obj[0].get_absolute_url()

    def items(self, obj: Any) -> Iterable[Article]:
        return obj[1]


class Articles(Sitemap):
    def items(self) -> Any:
        return Article.objects.published().only("slug", "updated_at")

    def lastmod(self, item: Article) -> datetime:
        return item.updated_at


class Others(Sitemap):
    def items(self) -> list[Any]:
        return ["front", "archive", "tags", "about", *Tag.objects.all(), *Author.objects.all()]

    def location(self, item: Any) -> str:
        return reverse(item) if isinstance(item, str) else item.get_absolute_url()


SITEMAPS = {"articles": Articles, "others": Others}
