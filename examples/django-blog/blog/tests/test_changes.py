"""What readers are told of changes."""

from collections.abc import Iterator
from unittest.mock import patch

from django.test import override_settings

from .. import changes
from .given import FLASHES, SECRET, BlogTest


def order(event: int, *hard: str, soft: tuple[str, ...] = ()) -> dict:
    times = {"received_at": "2026-11-30T12:00:00Z", "in_force_at": "2026-11-30T12:00:05Z"}
    return {"event": event, "order": {"hard": list(hard), "soft": list(soft), **times}}


@override_settings(EDGEKEEP={"SITE": "http://127.0.0.1:1", "SECRET": SECRET, "BACKGROUND": False})
class TheStream(BlogTest):
    def setUp(self) -> None:
        super().setUp()
        self.changes = changes.Changes()
        for patched in (
            patch.object(changes, "BEAT_SECONDS", 0.01),
            patch.object(changes.Changes, "_follow", lambda _: None),
            patch("blog.views.members.CHANGES", self.changes),
        ):
            patched.start()
            self.addCleanup(patched.stop)

    def stream(self) -> Iterator[bytes]:
        answer = self.client.get(f"/changes/{FLASHES}/")
        self.assertEqual((answer.status_code, answer["Content-Type"]), (200, "text/event-stream"))
        self.assertEqual(answer["Cache-Control"], "private, no-store")
        self.addCleanup(answer.close)
        return iter(answer.streaming_content)

    def test_a_change_of_the_page_is_told_with_the_time_until_it_is_everywhere(self) -> None:
        article = self.article(FLASHES)
        stream = self.stream()
        self.assertEqual(next(stream), b": open\n\n")
        for event in (order(1, "tag:article-0", "host:x"), {"event": 2, "progress": {}}, {"event": 3}):
            self.changes.tell(event)
            self.assertEqual(next(stream), b": beat\n\n")
        for told in (
            order(4, f"tag:article-{article.pk}"),
            order(5, soft=(f"tag:article-{article.pk}-comments",)),
            order(6, "everything"),
        ):
            self.changes.tell(told)
            self.assertEqual(next(stream), b"event: change\ndata: 5000\n\n")

    def test_a_stream_ends_and_its_place_is_free_again(self) -> None:
        with patch.object(changes, "READERS_MAX", 1):
            first = self.client.get(f"/changes/{FLASHES}/")
            self.assertEqual(self.client.get(f"/changes/{FLASHES}/").status_code, 204)
            first.close()
            with patch.object(changes, "STREAM_SECONDS", 0):
                last = self.stream()
            self.assertEqual(list(last), [b": open\n\n"])

    def test_there_is_none_without_an_edge_or_an_article(self) -> None:
        self.assertEqual(self.client.get("/changes/no-such/").status_code, 404)
        self.assertEqual(self.client.head(f"/changes/{FLASHES}/").status_code, 204)
        with override_settings(EDGEKEEP={"ENABLED": False}):
            self.assertEqual(self.client.get(f"/changes/{FLASHES}/").status_code, 204)
