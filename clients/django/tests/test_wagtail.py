"""The backend, driven by Wagtail itself: real pages are published, renamed, moved and unpublished."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import override_settings
from wagtail.contrib.frontend_cache.utils import PurgeBatch, get_backends
from wagtail.models import Locale, Page, PageViewRestriction, Site

from edgekeep.testing import Receiver
from edgekeep.wagtail import EdgekeepBackend

from .pages.models import PlainPage

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("configured")]

BASE = "https://www.example.com"


@pytest.fixture(autouse=True)
def backend() -> Iterator[None]:
    value = {"edgekeep": {"BACKEND": "edgekeep.wagtail.EdgekeepBackend"}}
    with override_settings(WAGTAILFRONTENDCACHE=value):
        yield


@pytest.fixture
def home(edge: Receiver) -> Any:
    """A site with the pages /, /news/ and /news/first/."""
    Locale.objects.get_or_create(language_code="en")
    root = Page.add_root(title="Root", slug="root")
    home = root.add_child(instance=PlainPage(title="Home", slug="home"))
    Site.objects.create(hostname="www.example.com", port=443, root_page=home, is_default_site=True)
    Site.clear_site_root_paths_cache()
    news = home.add_child(instance=PlainPage(title="News", slug="news"))
    news.add_child(instance=PlainPage(title="First", slug="first"))
    edge.clear()
    yield home
    Site.clear_site_root_paths_cache()


def page(slug: str) -> Any:
    return PlainPage.objects.get(slug=slug)


@pytest.mark.usefixtures("home")
def test_publishing_and_unpublishing_purge_the_page(edge: Receiver) -> None:
    page("first").save_revision().publish()
    assert edge.orders == [{"files": [f"{BASE}/news/first/"]}]
    edge.clear()
    page("first").unpublish()
    assert edge.files == {f"{BASE}/news/first/"}


@pytest.mark.usefixtures("home")
def test_making_a_page_private_or_public_purges_it_and_all_below(edge: Receiver) -> None:
    restriction = PageViewRestriction(page=page("news"), restriction_type=PageViewRestriction.LOGIN)
    restriction.save()
    assert edge.orders == [{"prefixes": [f"{BASE}/news/"]}]
    edge.clear()
    restriction.restriction_type = PageViewRestriction.PASSWORD
    restriction.password = "open"
    restriction.save()
    assert edge.orders == [{"prefixes": [f"{BASE}/news/"]}], "whoever knew the page by another right"
    edge.clear()
    restriction.delete()
    assert edge.orders == [{"prefixes": [f"{BASE}/news/"]}], "the stored way to the login"


@pytest.mark.usefixtures("home")
def test_a_restriction_of_another_page_purges_both(edge: Receiver) -> None:
    restriction = PageViewRestriction.objects.create(page=page("first"), restriction_type=PageViewRestriction.LOGIN)
    edge.clear()
    restriction.page = page("news")
    restriction.save()
    prefixes = {prefix for order in edge.orders for prefix in order["prefixes"]}
    assert prefixes == {f"{BASE}/news/first/", f"{BASE}/news/"}


def test_a_private_home_purges_all_of_the_site(edge: Receiver, home: Any) -> None:
    PageViewRestriction.objects.create(page=home, restriction_type=PageViewRestriction.LOGIN)
    assert edge.orders == [{"prefixes": [f"{BASE}/"]}]


def test_deleting_a_private_page_purges_it(edge: Receiver, home: Any) -> None:
    PageViewRestriction.objects.create(page=page("news"), restriction_type=PageViewRestriction.LOGIN)
    edge.clear()
    page("news").delete()
    assert f"{BASE}/news/first/" in edge.files


@pytest.mark.usefixtures("home")
def test_a_restriction_that_is_rolled_back_purges_nothing(edge: Receiver) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        PageViewRestriction.objects.create(page=page("news"), restriction_type=PageViewRestriction.LOGIN)
        raise RuntimeError
    assert edge.requests == []


@pytest.mark.usefixtures("home")
def test_tags_of_lists_are_purged_with_every_page(edge: Receiver) -> None:
    value = {"edgekeep": {"BACKEND": "edgekeep.wagtail.EdgekeepBackend", "TAGS": ["search", "sitemap"]}}
    with override_settings(WAGTAILFRONTENDCACHE=value):
        page("first").save_revision().publish()
        assert edge.tags == {"search", "sitemap"}
        assert edge.files == {f"{BASE}/news/first/"}
        changes: list[Callable[[], object]] = [
            lambda: PageViewRestriction.objects.create(page=page("news"), restriction_type=PageViewRestriction.LOGIN),
            lambda: page("first").move(page("home"), pos="last-child"),
            lambda: page("first").unpublish(),
        ]
        for change in changes:
            edge.clear()
            change()
            assert edge.tags == {"search", "sitemap"}


@pytest.mark.usefixtures("home")
def test_another_slug_purges_the_old_address_and_all_below(edge: Receiver) -> None:
    news = page("news")
    news.slug = "reports"
    news.save_revision().publish()
    prefixes = {prefix for order in edge.orders for prefix in order.get("prefixes", [])}
    assert prefixes == {f"{BASE}/news/", f"{BASE}/reports/"}


def test_another_place_purges_the_old_address_and_all_below(edge: Receiver, home: Any) -> None:
    page("first").move(home, pos="last-child")
    prefixes = {prefix for order in edge.orders for prefix in order.get("prefixes", [])}
    assert prefixes == {f"{BASE}/news/first/", f"{BASE}/first/"}
    edge.clear()
    page("first").move(page("news"), pos="first-sibling")
    assert not any("prefixes" in order for order in edge.orders), "the same address, in another order of the menu"


def test_a_batch_is_one_order(edge: Receiver) -> None:
    batch = PurgeBatch([f"{BASE}/{number}/" for number in range(100)])
    batch.purge()
    (order,) = edge.orders
    assert len(order["files"]) == 100


def test_the_backend_has_settings_of_its_own(edge: Receiver) -> None:
    backend = EdgekeepBackend({"HOSTNAMES": ["www.example.com"], "SOFT": True})
    assert backend.invalidates_hostname("www.example.com")
    assert not backend.invalidates_hostname("other.example")
    backend.purge(f"{BASE}/a/")
    EdgekeepBackend({"REFRESH": True}).purge(f"{BASE}/b/")
    assert edge.orders == [
        {"files": [f"{BASE}/a/"], "soft": True},
        {"files": [f"{BASE}/b/"], "soft": True, "refresh": True},
    ]
    (made,) = get_backends().values()
    assert isinstance(made, EdgekeepBackend)


def test_a_page_without_an_address_purges_nothing(edge: Receiver) -> None:
    Locale.objects.get_or_create(language_code="en")
    root = Page.add_root(title="Root", slug="root")
    lost = root.add_child(instance=PlainPage(title="Lost", slug="lost"))
    lost.slug = "still-lost"
    lost.save()
    assert edge.requests == []
