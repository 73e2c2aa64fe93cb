"""What the changes of models purge."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.db import connection, transaction
from django.db.models import F
from django.db.models.signals import pre_delete
from django.test.utils import CaptureQueriesContext

from edgekeep import purge_objects, watch
from edgekeep.testing import Receiver

from .blog.models import Article, Broken, Comment, Draft, Photo, Place, Review, Topic, Unwatched

pytestmark = [pytest.mark.django_db(transaction=True, reset_sequences=True), pytest.mark.usefixtures("configured")]

BASE = "https://www.example.com"
OWN = {"article-1", "search"}


def urls(slug: str) -> set[str]:
    return {f"{BASE}/articles/{slug}/", f"{BASE}/amp/{slug}/"}


@pytest.fixture
def article(edge: Receiver) -> Article:
    made = Article.objects.create(slug="a")
    edge.clear()
    return made


def test_a_new_object_purges_its_tags_its_urls_and_its_lists(edge: Receiver) -> None:
    Article.objects.create(slug="a")
    assert edge.tags == OWN | {"front", "feed"}
    assert edge.files == urls("a"), "there may be a stored 404"
    assert len(edge.orders) == 1


def test_a_change_leaves_alone_the_lists_in_which_it_stays(edge: Receiver, article: Article) -> None:
    article.save()
    assert edge.tags == OWN
    assert edge.files == urls("a")


def test_another_place_in_a_list_purges_that_list(edge: Receiver, article: Article) -> None:
    article.rank = 5
    article.save()
    assert edge.tags == OWN | {"front"}


def test_another_slug_purges_the_old_url_too(edge: Receiver, article: Article) -> None:
    article.slug = "b"
    article.save(update_fields=["slug"])
    assert edge.files == urls("a") | urls("b")


def test_an_object_that_was_never_loaded_is_compared_with_what_is_stored(edge: Receiver, article: Article) -> None:
    Article(pk=article.pk, slug="c").save()
    assert edge.files == urls("a") | urls("c")


def test_what_becomes_invisible_is_purged_as_it_was(edge: Receiver, article: Article) -> None:
    article.published = False
    article.slug = "secret"
    article.save()
    assert edge.files == urls("a"), "nobody sees the new state"
    assert edge.tags == OWN | {"front", "feed"}
    edge.clear()
    article.save()
    article.delete()
    assert edge.requests == []


def test_deletion(edge: Receiver, article: Article) -> None:
    topic = Topic.objects.create(name="t")
    article.topics.add(topic)
    edge.clear()
    article.delete()
    assert edge.tags == OWN | {"front", "feed", "topic-1-articles"}
    assert edge.files == urls("a")


def test_deletion_of_many_is_one_order(edge: Receiver) -> None:
    for number in range(3):
        Article.objects.create(slug=f"a{number}")
    edge.clear()
    Article.objects.all().delete()
    assert len(edge.orders) == 1
    assert {"article-1", "article-2", "article-3"} < edge.tags


def test_a_cascade_purges_what_it_takes_along(edge: Receiver, article: Article) -> None:
    Comment.objects.create(article=article, text="hello")
    edge.clear()
    article.delete()
    assert {"comment-1", "article-1"} < edge.tags


def test_a_softly_watched_model_purges_softly(edge: Receiver, article: Article) -> None:
    Comment.objects.create(article=article, text="hello")
    assert edge.orders == [{"tags": ["article-1", "comment-1"], "soft": True}]


def test_an_address_that_is_gone_is_purged_hard_even_if_changes_are_soft(
    edge: Receiver, article: Article, configured: Callable[..., None]
) -> None:
    configured(REFRESH=True)
    article.slug = "b"
    article.save()
    hard, soft, refresh = edge.orders
    assert set(hard["files"]) == urls("a")
    assert (set(soft["tags"]), soft["soft"]) == (OWN, True)
    assert (set(refresh["files"]), refresh["refresh"]) == (urls("b"), True)


def test_moving_to_another_parent_purges_both(edge: Receiver, article: Article) -> None:
    comment = Comment.objects.create(article=article, text="hello")
    other = Article.objects.create(slug="b")
    edge.clear()
    comment.article = other
    comment.save()
    assert edge.tags == {"comment-1", "article-1", "article-2"}


@pytest.mark.parametrize(
    ("change", "lists", "topics"),
    [
        (lambda article, topics: article.topics.add(topics[2]), {3}, set()),
        (lambda article, topics: article.topics.remove(topics[0]), {1}, set()),
        (lambda article, topics: article.topics.set(topics[1:]), {1, 3}, set()),
        (lambda article, topics: article.topics.clear(), {1, 2}, set()),
        (lambda article, topics: topics[2].articles.add(article), {3}, {3}),
        (lambda article, topics: topics[0].articles.remove(article), {1}, {1}),
        (lambda article, topics: topics[1].articles.clear(), {2}, {2}),
        (lambda article, topics: topics[2].articles.set([article]), {3}, {3}),
    ],
)
def test_links_purge_both_ends_and_the_lists_left_and_entered(
    edge: Receiver, article: Article, change: Callable[[Article, list[Topic]], Any], lists: set[int], topics: set[int]
) -> None:
    made = [Topic.objects.create(name=f"t{number}") for number in range(3)]
    article.topics.set(made[:2])
    edge.clear()
    with transaction.atomic():
        change(article, made)
    assert {f"topic-{number}-articles" for number in lists} | OWN <= edge.tags
    assert {tag for tag in edge.tags if tag.endswith("-articles")} == {f"topic-{number}-articles" for number in lists}
    assert {f"topic-{number}" for number in topics} <= edge.tags
    assert len(edge.orders) == 1


def test_a_link_that_changes_nothing_purges_nothing_but_the_object(edge: Receiver, article: Article) -> None:
    topic = Topic.objects.create(name="t")
    article.topics.add(topic)
    edge.clear()
    article.topics.add(topic)
    article.topics.remove(Topic.objects.create(name="other"))
    assert not any(tag.endswith("-articles") for tag in edge.tags)


def test_links_can_be_said_to_change_no_more_than_lists(edge: Receiver, article: Article) -> None:
    place = Place.objects.create(name="here")
    edge.clear()
    place.articles.add(article)
    assert edge.tags == OWN | {"map"}
    edge.clear()
    article.places.add(place)
    assert "place-1" not in edge.tags
    place.save()
    assert "place-1" in edge.tags


def test_links_of_a_model_with_itself(edge: Receiver, article: Article) -> None:
    other = Article.objects.create(slug="b")
    changes: list[Callable[[], None]] = [lambda: article.related.add(other), lambda: article.related.clear()]
    for change in changes:
        edge.clear()
        change()
        assert {"article-1", "article-2"} <= edge.tags


def test_a_new_article_with_topics_in_one_transaction_is_one_order(edge: Receiver) -> None:
    topic = Topic.objects.create(name="t")
    edge.clear()
    with transaction.atomic():
        made = Article.objects.create(slug="a")
        made.topics.add(topic)
    (order,) = edge.orders
    assert set(order["tags"]) == OWN | {"front", "feed", "topic-1", "topic-1-articles"}


def test_proxies_and_subclasses_inherit(edge: Receiver) -> None:
    Draft.objects.create(slug="d")
    assert edge.tags > OWN
    edge.clear()
    review = Review.objects.create(slug="r")
    assert {"review-2", "reviews", "search", "front"} < edge.tags
    edge.clear()
    Article.objects.get(pk=review.pk).delete()
    assert {"review-2", "article-2", "reviews"} <= edge.tags


def test_a_key_made_by_the_model_costs_no_query_on_insertion(edge: Receiver) -> None:
    with CaptureQueriesContext(connection) as queries:
        photo = Photo.objects.create()
    assert [query["sql"][:6] for query in queries] == ["INSERT"]
    assert edge.tags == {f"photo-{photo.pk}"}


def test_a_watch_that_fails_breaks_neither_the_save_nor_other_watches(
    edge: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    made = Broken.objects.create(name="hidden")
    assert edge.tags == {"broken-1"}, "its own tag needs nobody's help"
    made.name = "visible"
    made.save()
    assert edge.tags == {"broken-1", "sound"}
    assert "what to purge of blog.Broken 1 is not known" in caplog.text


def test_values_that_are_not_known_yet_are_purged_as_they_were(edge: Receiver, article: Article) -> None:
    article.rank = F("rank") + 1
    article.save()
    assert OWN | {"front"} == edge.tags


def test_unwatched_models_are_left_alone(edge: Receiver) -> None:
    topic = Topic.objects.create(name="t")
    edge.clear()
    made = Unwatched.objects.create(name="x")
    made.save()
    made.topics.add(topic)
    assert edge.tags == {"topic-1"}, "the other end is watched"
    edge.clear()
    made.delete()
    assert edge.requests == []
    assert not pre_delete.has_listeners(Unwatched), "Django may delete it the fast way"


def test_fixtures_purge_nothing(edge: Receiver, article: Article) -> None:
    text = serializers.serialize("json", [article])
    for each in serializers.deserialize("json", text):
        with CaptureQueriesContext(connection) as queries:
            each.object.save_base(raw=True)  # what loaddata does, without the relations
        assert [query["sql"][:6] for query in queries] == ["UPDATE"]
    assert edge.requests == []


def test_changes_without_signals_are_purged_by_hand(edge: Receiver, article: Article) -> None:
    Article.objects.filter(slug="a").update(rank=9)
    assert edge.requests == []
    purge_objects([*Article.objects.all(), *Unwatched.objects.all()])
    assert edge.tags == OWN | {"front", "feed"}
    assert len(edge.orders) == 1


def test_a_rolled_back_save_leaves_nothing_behind(edge: Receiver, article: Article) -> None:
    class Stop(Exception):
        pass

    article.slug = "lost"
    with pytest.raises(Stop), transaction.atomic():
        article.save()
        raise Stop
    assert edge.requests == []
    article.refresh_from_db()
    article.save()
    assert edge.files == urls("a")


def test_a_model_can_be_watched_later() -> None:
    from .blog import models

    assert not pre_delete.has_listeners(models.Word)
    assert watch(tags=["words"])(models.Word) is models.Word
    assert pre_delete.has_listeners(models.Word)
    gc.collect()
    assert pre_delete.has_listeners(models.Word), "nothing else must keep the receivers"
