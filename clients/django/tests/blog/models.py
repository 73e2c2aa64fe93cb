"""A small blog whose changes purge."""

from __future__ import annotations

import uuid

from django.db import models

from edgekeep import tag_for, watch


@watch()
class Topic(models.Model):
    name = models.CharField(max_length=50)


@watch(
    tags=["search"],
    urls=lambda article: [f"/amp/{article.slug}/"],
    lists=lambda article: {
        "front": article.rank,
        "feed": None,
        **{f"{tag_for(topic)}-articles": None for topic in article.topics.all()},
    },
    when=lambda article: article.published,
)
class Article(models.Model):
    slug = models.SlugField()
    rank = models.IntegerField(default=0)
    published = models.BooleanField(default=True)
    topics = models.ManyToManyField(Topic, related_name="articles")
    related = models.ManyToManyField("self", symmetrical=False, related_name="+")

    def get_absolute_url(self) -> str:
        return f"/articles/{self.slug}/"


class Draft(Article):
    """A proxy."""

    class Meta:
        proxy = True


@watch(lists=["reviews"])
class Review(Article):
    """A subclass with a table of its own."""

    stars = models.IntegerField(default=3)


@watch(tags=lambda comment: [tag_for(comment.article)], soft=True)
class Comment(models.Model):
    article = models.ForeignKey(Article, on_delete=models.CASCADE)
    text = models.TextField()


@watch(links=False, lists=lambda place: {"map": tuple(place.articles.values_list("pk", flat=True))})
class Place(models.Model):
    """What links do not change."""

    name = models.CharField(max_length=50)
    articles = models.ManyToManyField(Article, related_name="places")


@watch()
class Photo(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    title = models.CharField(max_length=50, default="")


@watch(tags=lambda broken: [broken.no_such_field])
@watch(tags=["sound"], when=lambda broken: broken.name == "visible")
class Broken(models.Model):
    """A watch that always fails, and one that does not."""

    name = models.CharField(max_length=50)


class Unwatched(models.Model):
    name = models.CharField(max_length=50)
    topics = models.ManyToManyField(Topic)


class Word(models.Model):
    """A key that is not fit for a tag."""

    text = models.CharField(max_length=2000, primary_key=True)
