"""Tags of responses."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from django.test import AsyncClient, Client, override_settings

from edgekeep import add_tags, tag, tag_for
from edgekeep.orders import clean_tag

from .blog.models import Article, Draft, Photo, Review, Word


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "own,front,feed,article-2,article-1"),
        ("/shelf/blue/", "shelf-blue"),
        ("/class/", "class"),
        ("/plain/", None),
        ("/late/", "from-the-template"),
    ],
)
def test_what_was_collected_is_written_once_each(path: str, expected: str | None) -> None:
    assert Client().get(path).headers.get("Cache-Tag") == expected
    assert asyncio.run(AsyncClient().get(path)).headers.get("Cache-Tag") == expected


@override_settings(MIDDLEWARE=[])
def test_the_decorator_writes_without_the_middleware() -> None:
    assert Client().get("/").headers["Cache-Tag"] == "own,front,feed,article-2,article-1"


def test_a_page_from_djangos_own_cache_keeps_its_tags() -> None:
    pages = [Client().get("/stored/") for _ in range(2)]
    assert [page.headers["Cache-Tag"] for page in pages] == ["stored", "stored"]


@pytest.mark.parametrize(
    ("path", "tagged", "control"),
    [("/many/?count=1000", True, None), ("/many/?count=1001", False, "no-store"), ("/long/", False, "no-store")],
)
def test_a_page_with_more_tags_than_can_be_purged_is_not_stored(path: str, tagged: bool, control: str | None) -> None:
    answer = Client().get(path)
    assert ("Cache-Tag" in answer.headers, answer.headers.get("CDN-Cache-Control")) == (tagged, control)


@pytest.mark.parametrize("text", ["", "a b", "a,b", "ä", "a\n", "a\x7f", "x" * 1025, 7, None])
def test_what_is_no_tag_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        clean_tag(text)
    with pytest.raises(ValueError, match="tag"):
        tag(text)


@pytest.mark.parametrize("text", ["front", "a:b/c?d=e", "%2C", "~!", "x" * 1024])
def test_what_is_a_tag_stays_as_it_is(text: str) -> None:
    assert clean_tag(text) == text


def test_a_bad_tag_in_a_view_is_an_error_there() -> None:
    with pytest.raises(ValueError, match="'a tag' is no tag"):
        Client().get("/fails/")


def test_objects_have_tags_by_model_and_key() -> None:
    key = uuid.UUID(int=7)
    assert tag_for(Article(pk=7)) == "article-7"
    assert tag_for(Draft(pk=7)) == "article-7", "a proxy is the same object"
    assert tag_for(Review(pk=7)) == "review-7"
    assert tag_for(Photo(pk=key)) == f"photo-{key}"
    with pytest.raises(ValueError, match=r"blog\.Article has no key"):
        tag_for(Article())


def test_any_key_makes_a_tag_and_no_two_the_same() -> None:
    keys = ["plain", "a b", "a,b", "a%20b", "ä", "a+b", "\n", "x" * 2000, "x" * 1999 + "y", "w%2C"]
    tags = [clean_tag(tag_for(Word(pk=key))) for key in keys]
    assert len(set(tags)) == len(keys)
    assert tags[:3] == ["word-plain", "word-a%20b", "word-a%2Cb"]


def test_tags_are_kept_by_request() -> None:
    from django.test import RequestFactory

    one, other = RequestFactory().get("/"), RequestFactory().get("/")
    add_tags(one, Article(pk=1), [Article(pk=2), "front"])
    assert list(one.__dict__["_edgekeep_tags"]) == ["article-1", "article-2", "front"]
    assert "_edgekeep_tags" not in other.__dict__
