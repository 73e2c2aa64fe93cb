"""``manage.py seed_blog``: fills an empty blog with a few hundred articles, the same ones every time."""

from typing import Any

import edgekeep
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from django.utils.text import slugify

from ...memory import advance
from ...models import Article, Author, Comment, Tag
from ...seed.text import drafts
from ...seed.words import AUTHORS, SUBJECTS

#: Everybody's, so they are made for blogs on a computer of one's own only.
PASSWORD = "tideline-and-furrow"
USERS = [("ada", "Ada", True), ("bram", "Bram", False), ("carys", "Carys", False)]


class Command(BaseCommand):
    help = "Fills an empty blog: articles, authors, tags, comments, and three users (ada is an editor)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--articles", type=int, default=300)

    @transaction.atomic
    def handle(self, *, articles: int, **_: Any) -> None:
        if Author.objects.exists():
            self.stdout.write("There are authors already: nothing was added.")
            return
        users = [self._user(name, first, editor) for name, first, editor in USERS]
        authors = Author.objects.bulk_create(
            Author(name=name, slug=slugify(name), bio=bio, user=users[0] if number == 0 else None)
            for number, (name, bio) in enumerate(AUTHORS)
        )
        tags = Tag.objects.bulk_create(
            Tag(name=each.name, slug=slugify(each.name), description=each.about) for each in SUBJECTS
        )
        written = list(drafts(articles, len(authors)))
        saved = Article.objects.bulk_create(
            Article(
                title=each.title,
                slug=slugify(each.title),
                summary=each.summary,
                body=each.body,
                author=authors[each.author],
                status=Article.Status.PUBLISHED,
                published_at=each.published_at,
            )
            for each in reversed(written)  # the oldest has the smallest key
        )
        pairs = list(zip(saved, reversed(written), strict=True))
        link = Article.tags.through
        link.objects.bulk_create(
            link(article=article, tag=tags[number]) for article, draft in pairs for number in draft.subjects
        )
        Article.objects.bulk_update([_dated(article) for article, _draft in pairs], ["updated_at"])
        Comment.objects.bulk_create(
            Comment(article=article, name=name, text=text, created_at=at)
            for article, draft in pairs
            for name, text, at in draft.comments
        )
        # bulk_create() sends no signals.
        advance()
        edgekeep.purge(everything=True)
        self.stdout.write(
            f"{len(saved)} articles, {len(authors)} authors, {len(tags)} tags, {Comment.objects.count()} comments."
        )

    def _user(self, name: str, first: str, editor: bool) -> User:
        make = User.objects.create_superuser if editor else User.objects.create_user
        return make(name, f"{name}@example.com", PASSWORD, first_name=first)


def _dated(article: Article) -> Article:
    article.updated_at = article.published_at
    return article
