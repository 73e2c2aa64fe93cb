"""Forms and tokens, comments, accounts, writing and uploads."""

import io
import re
from datetime import datetime, timezone

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from ..models import Article, Comment
from ..seed.text import drafts
from .given import FLASHES, HARBOUR, BlogTest

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


def picture(format: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 10), "teal").save(out, format)
    return out.getvalue()


class Comments(BlogTest):
    def test_a_comment_needs_the_token_of_its_readers_form(self) -> None:
        reader = Client(enforce_csrf_checks=True)
        address, words = f"/comment/{FLASHES}/", {"name": "Ines", "text": "I count along."}
        self.assertEqual(reader.post(address, words).status_code, 403)
        token = TOKEN.search(reader.get(f"/fragments/comment-form/{FLASHES}/").content.decode())
        assert token
        answer = reader.post(address, words | {"csrfmiddlewaretoken": token[1]})
        self.assertEqual(answer.status_code, 303)
        saved = Comment.objects.latest("pk")
        self.assertEqual(answer["Location"], f"/articles/{FLASHES}/#comment-{saved.pk}")
        self.assertEqual(answer.cookies["wrote"]["max-age"], 10)
        other = Client(enforce_csrf_checks=True)
        other.get(address)
        self.assertEqual(other.post(address, words | {"csrfmiddlewaretoken": token[1]}).status_code, 403)

    def test_what_is_wrong_is_said_and_nothing_is_saved(self) -> None:
        count = Comment.objects.count()
        for words in (
            {"name": "", "text": "x"},
            {"name": "x", "text": ""},
            {"name": "x", "text": "y" * 2001},
            {"name": "x", "text": "y", "website": "spam"},
        ):
            answer = self.client.post(f"/comment/{FLASHES}/", words)
            self.assertEqual(answer.status_code, 422)
            self.assertNotIn("wrote", answer.cookies)
        self.assertEqual(Comment.objects.count(), count)

    def test_a_comment_is_text(self) -> None:
        self.client.post(f"/comment/{FLASHES}/", {"name": "<b>x</b>", "text": "<script>alert(1)</script>"})
        answer = self.client.get(f"/articles/{FLASHES}/")
        self.assertContains(answer, "&lt;script&gt;")
        self.assertNotContains(answer, "<script>alert")


class Accounts(BlogTest):
    def test_who_signs_up_is_greeted(self) -> None:
        words = {
            "username": "ines",
            "first_name": "Ines",
            "password1": "a-long-low-tide",
            "password2": "a-long-low-tide",
        }
        answer = self.client.post("/accounts/signup/", words)
        self.assertRedirects(answer, "/accounts/profile/")
        self.assertContains(self.client.get("/fragments/greeting/"), ">Ines</a>")

    def test_who_signs_out_is_not(self) -> None:
        self.sign_in("bram")
        self.client.post("/accounts/logout/")
        self.assertNotContains(self.client.get("/fragments/greeting/"), "Bram")


class Writing(BlogTest):
    def form(self, article: Article, **changes: object) -> dict[str, object]:
        form = {name: getattr(article, name) for name in ("title", "slug", "summary", "body", "status")}
        return (
            form
            | {
                "published_at": f"{article.published_at:%Y-%m-%dT%H:%M}",
                "tags": [each.pk for each in article.tags.all()],
            }
            | changes
        )

    def test_only_authors_write_and_only_their_own(self) -> None:
        self.assertEqual(self.client.get("/write/").status_code, 302)
        self.sign_in("bram")
        self.assertEqual(self.client.get("/write/").status_code, 403)
        self.sign_in("ada")
        self.assertEqual(self.client.get(f"/write/{self.article(FLASHES).pk}/").status_code, 404)
        self.assertEqual(self.client.get(f"/write/{self.article().pk}/").status_code, 200)

    def test_a_picture_is_kept_under_its_digest(self) -> None:
        self.sign_in("ada")
        article = self.article()
        address = f"/write/{article.pk}/"
        for name in ("boat.png", "../../x.JPG"):  # whatever it is called, and the second time, too
            upload = SimpleUploadedFile(name, picture(), "text/html")
            answer = self.client.post(address, self.form(article, cover=upload))
            self.assertEqual(answer.status_code, 302, answer.context and answer.context["form"].errors)
        article.refresh_from_db()
        self.assertRegex(article.cover.name, r"^covers/[0-9a-f]{20}\.png$")
        shown = self.client.get(article.cover_url)
        self.assertEqual(b"".join(shown.streaming_content), picture())
        self.assertEqual(shown["Content-Type"], "image/png")
        self.assertEqual(shown["X-Content-Type-Options"], "nosniff")
        self.assertIn("immutable", shown["Cache-Control"])
        self.assertContains(self.client.get(f"/articles/{HARBOUR}/"), article.cover_url)

    def test_what_could_carry_a_script_is_refused(self) -> None:
        self.sign_in("ada")
        article = self.article()
        for content in (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            b"<html>",
            picture("GIF"),
            picture() + b"\0" * 2 * 1024 * 1024,
        ):
            upload = SimpleUploadedFile("x.png", content, "image/png")
            self.assertEqual(
                self.client.post(f"/write/{article.pk}/", self.form(article, cover=upload)).status_code, 422
            )

    def test_the_admin_takes_no_other_pictures(self) -> None:
        self.sign_in("ada")
        article = self.article()
        at = {"published_at_0": f"{article.published_at:%Y-%m-%d}", "published_at_1": f"{article.published_at:%H:%M}"}
        for content, kept in ((picture("GIF"), False), (picture("WEBP"), True)):
            form = self.form(article, author=article.author_id, cover=SimpleUploadedFile("x.jpg", content)) | at
            answer = self.client.post(f"/admin/blog/article/{article.pk}/change/", form)
            self.assertEqual(answer.status_code, 302 if kept else 200)
            self.assertEqual(self.article().cover.name.endswith(".webp"), kept)

    def test_a_new_article_is_written_and_deleted(self) -> None:
        self.sign_in("ada")
        now = datetime.now(timezone.utc)
        form = {
            "title": "New",
            "slug": "new",
            "summary": "New.",
            "body": "It is new.",
            "status": "published",
            "tags": [1],
        }
        form["published_at"] = f"{now:%Y-%m-%dT%H:%M}"
        self.assertRedirects(self.client.post("/write/new/", form), "/articles/new/")
        self.assertContains(self.client.get("/"), "/articles/new/")
        self.client.post(f"/write/{self.article('new').pk}/delete/")
        self.assertNotContains(self.client.get("/"), "/articles/new/")


class Seed(BlogTest):
    def test_the_same_seed_is_the_same_blog(self) -> None:
        once, again = list(drafts(300, 12)), list(drafts(300, 12))
        self.assertEqual(once, again)
        self.assertEqual(len({each.title for each in once}), 300)
        self.assertTrue(all(len(each.summary) <= 300 and len(each.title) <= 120 for each in once))
        self.assertNotIn("{", "".join(each.title + each.summary + each.body for each in once))
