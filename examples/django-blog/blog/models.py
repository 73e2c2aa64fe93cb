"""What the blog is made of, and which pages a change of it makes old."""

from hashlib import sha256
from pathlib import PurePath

from django.conf import settings
from django.db import models
from django.urls import reverse
from edgekeep import tag_for, watch


def name_by_content(_instance: models.Model, name: str) -> str:
    """An upload's path is a digest of its bytes: another picture is another address, and each may be kept for ever."""
    field = _instance.cover
    digest = sha256()
    for chunk in field.chunks():
        digest.update(chunk)
    field.seek(0)
    return f"covers/{digest.hexdigest()[:20]}{PurePath(name).suffix.lower()}"


class Revision(models.Model):
    """One row, whose number grows with every change of what readers see: the version of all keys in Django's cache."""

    number = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.number)


@watch()
class Author(models.Model):
    """Who writes. Pages that show the name carry ``author-3``."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    name = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)
    bio = models.TextField(blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("author", args=[self.slug])


@watch(links=False)  # an article more does not change what the pages say of the tag; Article.lists does the rest
class Tag(models.Model):
    """A subject."""

    name = models.CharField(max_length=40)
    slug = models.SlugField(unique=True)
    description = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("tag", args=[self.slug])


class ArticleQuerySet(models.QuerySet):
    def published(self) -> "ArticleQuerySet":
        return self.filter(status=Article.Status.PUBLISHED)

    def for_lists(self) -> "ArticleQuerySet":
        """With all that a list shows, and without the text."""
        return self.select_related("author").prefetch_related("tags").defer("body")


def lists_of(article: "Article") -> dict[str, object]:
    """The lists that show an article, and its place in each: a list is purged when that changes."""
    at = article.published_at
    tags = list(article.tags.all())
    return {
        "front": at,
        "archive": (at.year, at.month),
        f"archive-{at:%Y-%m}": at,
        f"{tag_for(article.author)}-articles": at,
        "tags": sorted(tag.pk for tag in tags),
        **{f"{tag_for(tag)}-articles": at for tag in tags},
    }


@watch(
    when=lambda article: article.status == Article.Status.PUBLISHED,
    tags=["search"],  # any word of it may be searched for
    lists=lists_of,
)
class Article(models.Model):
    class Status(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"

    title = models.CharField(max_length=120)
    slug = models.SlugField(max_length=120, unique=True)
    summary = models.CharField(max_length=300)
    body = models.TextField(
        help_text="Paragraphs, with an empty line between them. “## ” starts a heading, “> ” a quotation."
    )
    author = models.ForeignKey(Author, models.PROTECT, related_name="articles")
    tags = models.ManyToManyField(Tag, related_name="articles", blank=True)
    cover = models.ImageField(
        upload_to=name_by_content, blank=True, help_text="PNG, JPEG or WebP; without one a picture is drawn."
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    published_at = models.DateTimeField()
    updated_at = models.DateTimeField(auto_now=True)

    objects = ArticleQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at", "-pk"]
        indexes = [models.Index(fields=["status", "-published_at"])]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("article", args=[self.slug])

    @property
    def cover_url(self) -> str:
        return self.cover.url if self.cover else reverse("cover", args=[self.slug])

    @property
    def minutes(self) -> int:
        """How long it takes to read, at 220 words a minute."""
        return max(1, round(len(self.body.split()) / 220))


def comments_tag(article: Article) -> str:
    """Comments have a tag of their own: a new one changes the article's page, and none that merely lists it."""
    return f"{tag_for(article)}-comments"


@watch(when=lambda comment: comment.is_visible, tags=lambda comment: [comments_tag(comment.article)])
class Comment(models.Model):
    article = models.ForeignKey(Article, models.CASCADE, related_name="comments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True)
    name = models.CharField(max_length=60)
    text = models.TextField(max_length=2000)
    is_visible = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at", "pk"]

    def __str__(self) -> str:
        return f"{self.name} on {self.article}"
