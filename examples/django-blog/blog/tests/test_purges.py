"""What a change purges, and that the application tier forgets it, too."""

from django.db import transaction
from django.test import RequestFactory
from edgekeep import tag_for

from ..memory import remembered, revision
from ..models import Article, Author, Comment, Tag
from .given import FLASHES, HARBOUR, BlogTest


class Purges(BlogTest):
    def test_an_edit_takes_the_pages_that_show_the_article_and_no_list(self) -> None:
        article = self.article()
        with self.purged() as edge:
            article.title = "The harbour at five"
            article.save()
        self.assertEqual(edge.tags, {tag_for(article), "search"})
        self.assertEqual({url.removeprefix(edge.url) for url in edge.files}, {f"/articles/{HARBOUR}/"})

    def test_another_slug_takes_the_old_address_too(self) -> None:
        article = self.article()
        with self.purged() as edge:
            article.slug = "five"
            article.save()
        self.assertEqual(
            {url.removeprefix(edge.url) for url in edge.files}, {f"/articles/{HARBOUR}/", "/articles/five/"}
        )

    def test_taking_an_article_back_takes_the_lists_it_was_in(self) -> None:
        article = self.article()
        with self.purged() as edge:
            article.status = Article.Status.DRAFT
            article.save()
        lists = {
            "front",
            "archive",
            "archive-2026-10",
            "tags",
            "author-1-articles",
            *(f"{tag_for(tag)}-articles" for tag in article.tags.all()),
        }
        self.assertEqual(edge.tags, {tag_for(article), "search", *lists})

    def test_a_draft_purges_nothing(self) -> None:
        article = self.article()
        Article.objects.filter(pk=article.pk).update(status=Article.Status.DRAFT)
        with self.purged() as edge:
            article.refresh_from_db()
            article.title = "Not yet"
            article.save()
            article.tags.add(Tag.objects.last())
        self.assertEqual(edge.tags, set())

    def test_another_tag_takes_that_tags_pages_and_no_other_tags(self) -> None:
        article, stars = self.article(), Tag.objects.get(slug="stars")
        with self.purged() as edge:
            article.tags.add(stars)
        self.assertEqual(edge.tags, {tag_for(article), "search", "tags", f"{tag_for(stars)}-articles"})

    def test_a_comment_takes_the_article_alone(self) -> None:
        article = self.article(FLASHES)
        with self.purged() as edge:
            self.client.post(f"/comment/{FLASHES}/", {"name": "Ines", "text": "I count along."})
        comment = Comment.objects.latest("pk")
        self.assertEqual(edge.tags, {f"{tag_for(article)}-comments", tag_for(comment)})
        self.assertEqual(edge.files, set())

    def test_a_rollback_purges_nothing(self) -> None:
        with self.purged() as edge:
            try:
                with transaction.atomic():
                    self.article().save()
                    raise KeyError
            except KeyError:
                pass
        self.assertEqual(edge.requests, [])

    def test_the_tags_purged_are_those_the_pages_carry(self) -> None:
        article = self.article()
        addresses = [
            "/",
            f"/articles/{HARBOUR}/",
            "/tags/harbours/",
            "/feed/",
            "/tags/harbours/feed/",
            "/archive/2026/10/",
            "/api/articles/",
        ]
        addresses += [
            f"/api/articles/{HARBOUR}/",
            "/authors/ada-merriweather/",
            "/search/?q=harbour",
            "/graphql?query={articles{title}}",
            "/sitemap.xml",
        ]
        with self.purged() as edge:
            article.save()
        for address in addresses:
            self.assertTrue(edge.tags & set(self.client.get(address)["Cache-Tag"].split(",")), address)
        for address in ("/page/2/", f"/articles/{FLASHES}/", "/archive/", "/tags/", "/about/", "/tags/cheese/"):
            self.assertFalse(edge.tags & set(self.client.get(address)["Cache-Tag"].split(",")), address)


class Memory(BlogTest):
    def value(self) -> int:
        """What a new request is told; it counts how often it was made."""
        return remembered(RequestFactory().get("/"), "count", self.make)

    def make(self) -> int:
        self.made += 1
        return self.made

    def setUp(self) -> None:
        super().setUp()
        self.made = 0

    def test_a_change_is_another_version(self) -> None:
        self.assertEqual([self.value(), self.value()], [1, 1])
        for number, change in enumerate(
            (
                self.article().save,
                Author.objects.first().save,
                lambda: self.article().tags.clear(),
                self.article(FLASHES).delete,
            ),
            2,
        ):
            change()
            self.assertEqual([self.value(), self.value()], [number, number])

    def test_a_rollback_takes_the_version_back(self) -> None:
        self.value()
        try:
            with transaction.atomic():
                self.article().save()
                self.assertEqual(self.value(), 2)
                raise KeyError
        except KeyError:
            pass
        self.assertEqual(self.value(), 1)

    def test_the_version_is_read_once_a_request(self) -> None:
        request = RequestFactory().get("/")
        with self.assertNumQueries(1):
            revision(request)
            revision(request)
