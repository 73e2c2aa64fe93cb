"""Orders leave with their transaction, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import TestCase

from edgekeep import purge, transactions
from edgekeep.testing import Receiver

from .blog.models import Article, Comment

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "other"]),
    pytest.mark.usefixtures("configured"),
]


class Stop(Exception):
    """Ends a transaction."""


def test_without_a_transaction_it_is_sent_at_once(edge: Receiver) -> None:
    purge(tags=["a"])
    purge(tags=["b"])
    assert edge.orders == [{"tags": ["a"]}, {"tags": ["b"]}]


def test_one_transaction_is_one_order_without_repetitions(edge: Receiver) -> None:
    with transaction.atomic():
        purge(tags=["a", "b"])
        with transaction.atomic():
            purge(tags=["b"], urls=["/x/", "/x/#part"])
        purge(tags=["a", "c"])
        assert edge.requests == []
    assert edge.orders == [{"tags": ["a", "b", "c"], "files": ["https://www.example.com/x/"]}]


def test_hard_and_soft_are_two_orders(edge: Receiver) -> None:
    with transaction.atomic():
        purge(tags=["a"], soft=True)
        purge(tags=["b"])
    assert edge.orders == [{"tags": ["b"]}, {"tags": ["a"], "soft": True}]


def test_a_rollback_purges_nothing_then_or_later(edge: Receiver) -> None:
    with pytest.raises(Stop), transaction.atomic():
        purge(tags=["lost"])
        raise Stop
    assert edge.requests == []
    with transaction.atomic():
        purge(tags=["kept"])
    assert edge.orders == [{"tags": ["kept"]}]


@pytest.mark.parametrize("lost", [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2], []])
def test_savepoints_that_are_rolled_back_purge_nothing(edge: Receiver, lost: list[int]) -> None:
    with transaction.atomic():
        for number in range(3):
            try:
                with transaction.atomic():
                    purge(tags=[f"t{number}"])
                    with transaction.atomic():
                        purge(tags=[f"inner{number}"])
                    if number in lost:
                        raise Stop
            except Stop:
                pass
    kept = [number for number in range(3) if number not in lost]
    expected = [tag for number in kept for tag in (f"t{number}", f"inner{number}")]
    assert edge.orders == ([{"tags": expected}] if expected else [])


def test_savepoints_by_hand_purge_too_much_rather_than_too_little(edge: Receiver) -> None:
    """Of savepoints by hand Django does not know which hooks are theirs; of atomic() it does."""
    with transaction.atomic():
        purge(tags=["before"])
        point = transaction.savepoint()
        purge(tags=["within"])
        transaction.savepoint_rollback(point)
        purge(tags=["after"])
    assert edge.tags == {"before", "within", "after"}


def test_an_inner_commit_in_an_outer_rollback_purges_nothing(edge: Receiver) -> None:
    with pytest.raises(Stop), transaction.atomic():
        with transaction.atomic():
            purge(tags=["a"])
        raise Stop
    assert edge.requests == []


def test_databases_have_transactions_of_their_own(edge: Receiver) -> None:
    with transaction.atomic():
        purge(tags=["default"])
        with transaction.atomic(using="other"):
            purge(tags=["other"], using="other")
            purge(tags=["default-too"])
        assert edge.orders == [{"tags": ["other"]}]
        with pytest.raises(Stop), transaction.atomic(using="other"):
            purge(tags=["lost"], using="other")
            raise Stop
    assert edge.orders == [{"tags": ["other"]}, {"tags": ["default", "default-too"]}]


def test_models_purge_by_the_database_they_are_saved_in(edge: Receiver) -> None:
    with transaction.atomic(using="default"):
        Article.objects.using("other").create(slug="a")
        assert "article-1" in edge.tags


def test_a_transaction_that_fails_at_its_end_purges_nothing(edge: Receiver) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Comment.objects.create(article_id=7, text="of no article")
        purge(tags=["a"])
    assert edge.requests == []


def test_large_transactions_are_split(edge: Receiver) -> None:
    with transaction.atomic():
        for number in range(2500):
            purge(tags=[f"t{number}"])
    assert [len(order["tags"]) for order in edge.orders] == [1000, 1000, 500]


def test_a_commit_while_the_edge_is_down_succeeds(
    edge: Receiver, configured: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configured(ATTEMPTS=1)
    edge.script = [None]
    with transaction.atomic():
        Article.objects.create(slug="a")
    assert Article.objects.filter(slug="a").exists()
    assert "was not sent" in caplog.text


def test_without_autocommit_it_is_sent_early_rather_than_never(
    edge: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    transaction.set_autocommit(False)
    try:
        purge(tags=["a"])
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert edge.tags == {"a"}
    assert "before its transaction ends" in caplog.text


def test_what_was_rolled_back_is_not_kept_in_memory() -> None:
    for _ in range(3):
        with pytest.raises(Stop), transaction.atomic():
            purge(tags=["a"])
            raise Stop
    assert not transactions._batches.of["default"]._hooks


def test_threads_do_not_mix(edge: Receiver) -> None:
    """Each thread has its own connection, and its own transaction."""
    others = "other"
    inside, go = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def other_thread() -> None:
        try:
            with pytest.raises(Stop), transaction.atomic(using=others):
                purge(tags=["lost"], using=others)
                inside.set()
                go.wait(5)
                raise Stop
        except BaseException as error:
            errors.append(error)
        finally:
            transaction.get_connection(others).close()

    thread = threading.Thread(target=other_thread)
    thread.start()
    inside.wait(5)
    with transaction.atomic(using=others):
        purge(tags=["kept"], using=others)
    go.set()
    thread.join()
    assert errors == []
    assert edge.orders == [{"tags": ["kept"]}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": "front"},
        {"urls": "/"},
        {"tags": ["a b"]},
        {"urls": ["x"]},
        {"hosts": ["a/b"]},
        {"prefixes": ["a?b"]},
        {"tags": [Article()]},
    ],
)
def test_what_is_wrong_is_told_at_once(edge: Receiver, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        purge(**wrong)
    assert edge.requests == []


@pytest.mark.parametrize(
    ("settings", "said", "expected"),
    [
        ({}, {}, {}),
        ({}, {"soft": True}, {"soft": True}),
        ({}, {"refresh": True}, {"soft": True, "refresh": True}),
        ({"SOFT": True}, {}, {"soft": True}),
        ({"SOFT": True}, {"soft": False}, {}),
        ({"REFRESH": True}, {}, {"soft": True, "refresh": True}),
        ({"REFRESH": True}, {"soft": False}, {}),
        ({"REFRESH": True, "SOFT": True}, {"refresh": False}, {"soft": True}),
    ],
)
def test_soft_and_refresh(
    edge: Receiver,
    configured: Callable[..., None],
    settings: dict[str, bool],
    said: dict[str, bool],
    expected: dict[str, bool],
) -> None:
    configured(**settings)
    purge(urls=["/"], **said)  # type: ignore[arg-type]
    assert edge.orders == [{"files": ["https://www.example.com/"], **expected}]


class InATestCase(TestCase):
    """Django's TestCase never commits; what it captures is what would have been purged, and nothing from before."""

    edge: Receiver

    @pytest.fixture(autouse=True)
    def _edge(self, edge: Receiver, configured: Callable[..., None]) -> None:
        self.edge = edge

    def setUp(self) -> None:
        purge(tags=["from-set-up"])

    def test_captured_twice(self) -> None:
        with self.captureOnCommitCallbacks(execute=True):
            purge(tags=["a"])
            purge(tags=["b"])
        purge(tags=["between"])
        with self.captureOnCommitCallbacks(execute=True):
            purge(tags=["c"])
        assert self.edge.orders == [{"tags": ["a", "b"]}, {"tags": ["c"]}]
