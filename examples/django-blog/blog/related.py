"""What else there is to read: the dear part of an article's page."""

import re
from collections import Counter

from django.http import HttpRequest

from .memory import remembered
from .models import Article

SHOWN = 3
WORD = re.compile(r"[a-z]{5,}")


def earlier_on_the_same(request: HttpRequest, article: Article) -> list[Article]:
    """
    The earlier articles that have most in common with this one: tags, and rare words of title and summary. Earlier,
    so that a new article changes no old page; and computed over all of them, so that it pays to remember it.
    """

    def choose() -> list[int]:
        words = words_of_all(request)
        rarity = Counter(word for each in words.values() for word in each)
        own_words, own_tags = words.get(article.pk, set()), {tag.pk for tag in article.tags.all()}
        tags: dict[int, set[int]] = {}
        for one, tag in Article.tags.through.objects.values_list("article_id", "tag_id"):
            tags.setdefault(one, set()).add(tag)
        older = Article.objects.published().filter(published_at__lt=article.published_at).values_list("pk", flat=True)
        score = {
            pk: len(tags.get(pk, set()) & own_tags) + sum(2 / rarity[word] for word in words.get(pk, set()) & own_words)
            for pk in older
        }
        return sorted((pk for pk in score if score[pk] >= 1), key=lambda pk: (-score[pk], -pk))[:SHOWN]

    chosen = remembered(request, f"related-{article.pk}", choose)
    if not chosen:
        return []
    found = {each.pk: each for each in Article.objects.published().filter(pk__in=chosen).for_lists()}
    return [found[pk] for pk in chosen if pk in found]


def words_of_all(request: HttpRequest) -> dict[int, set[str]]:
    def read() -> dict[int, set[str]]:
        rows = Article.objects.published().values_list("pk", "title", "summary")
        return {pk: set(WORD.findall(f"{title} {summary}".lower())) for pk, title, summary in rows}

    return remembered(request, "words", read)
