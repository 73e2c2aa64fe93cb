"""Which pages are everybody's and which are one reader's, and that nothing personal gets into the former."""

from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from ..public import public
from .given import ARTICLES, FLASHES, HARBOUR, BlogTest

PUBLIC = {
    "/": "front",
    "/page/2/": "front",
    f"/articles/{FLASHES}/": "article-{pk}",
    "/archive/": "archive",
    "/archive/2026/10/": "archive-2026-10",
    "/tags/": "tags",
    "/tags/lighthouses/": "tag-3-articles",
    "/tags/lighthouses/feed/": "tag-3-articles",
    "/authors/ewan-sinclair/": "author-4",
    "/about/": "author-4",
    "/search/": "search",
    "/search/?q=light": "search",
    "/feed/": "front",
    "/sitemap.xml": "search",
    "/api/articles/": "front",
    f"/api/articles/{FLASHES}/": "article-{pk}",
    "/graphql?query={articles{title}}": "front",
}
PRIVATE = [
    "/fragments/greeting/",
    f"/fragments/comment-form/{FLASHES}/",
    f"/comment/{FLASHES}/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/profile/",
    "/write/",
    "/write/new/",
    "/admin/",
]


AT_THE_EDGE = {"Surrogate-Capability": 'edgekeep="ESI/1.0"'}


@public()
def careless(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Good morning, {request.user}")


urlpatterns = [path("careless/", careless)]


class Pages(BlogTest):
    def test_public_pages_say_so_and_carry_their_tag(self) -> None:
        pk = self.article(FLASHES).pk
        for address, tag in PUBLIC.items():
            with self.subTest(address):
                answer = self.client.get(address)
                self.assertEqual(answer.status_code, 200)
                self.assertIn("public, max-age=0, s-maxage=60", answer["Cache-Control"])
                self.assertRegex(
                    answer["CDN-Cache-Control"], r"max-age=\d+, stale-while-revalidate=86400, stale-if-error=604800"
                )
                self.assertNotIn("stale", answer["Cache-Control"])  # browsers would heed it
                self.assertIn(tag.format(pk=pk), answer["Cache-Tag"].split(","))
                self.assertIn("ETag", answer)

    def test_public_pages_are_the_same_for_everybody(self) -> None:
        readers = [Client(), Client(), Client()]
        for name, reader in zip(("bram", "carys"), readers[1:], strict=True):
            reader.force_login(self.sign_in(name))
        for address in [*PUBLIC, "/covers/x.svg", "/nothing-here/"]:
            with self.subTest(address):
                answers = [reader.get(address, headers=AT_THE_EDGE) for reader in readers]
                self.assertEqual(len({answer.content for answer in answers}), 1)
                for answer in answers:
                    self.assertFalse(answer.cookies)
                    self.assertNotIn("Cookie", answer.get("Vary", ""))
                    self.assertNotIn(b"csrfmiddlewaretoken", answer.content)

    def test_personal_pages_are_private(self) -> None:
        self.sign_in("ada")
        for address in PRIVATE:
            with self.subTest(address):
                answer = self.client.get(address)
                self.assertIn(answer.status_code, (200, 302))
                self.assertIn("private", answer["Cache-Control"])
                self.assertNotIn("CDN-Cache-Control", answer)

    def test_at_the_edge_a_page_names_the_greeting_and_is_marked(self) -> None:
        self.sign_in("bram")
        answer = self.client.get("/about/", headers=AT_THE_EDGE)
        self.assertContains(
            answer, '<div class="reader"><esi:include src="/fragments/greeting/" onerror="continue"/></div>'
        )
        self.assertEqual(answer["Surrogate-Control"], 'content="ESI/1.0"')
        self.assertIn("Surrogate-Capability", answer["Vary"])
        self.assertIn("public", answer["Cache-Control"])
        again = self.client.get("/about/", headers=AT_THE_EDGE | {"If-None-Match": answer["ETag"]})
        self.assertEqual(again.status_code, 304)
        self.assertEqual(again["Surrogate-Control"], 'content="ESI/1.0"')
        for address in ("/feed/", "/api/articles/", "/fragments/greeting/"):
            self.assertNotIn("Surrogate-Control", self.client.get(address, headers=AT_THE_EDGE))

    def test_elsewhere_django_puts_the_greeting_in(self) -> None:
        stranger = self.client.get("/about/")
        self.assertContains(stranger, '<div class="reader"><a href="/accounts/profile/">Sign in</a></div>')
        self.assertIn("public", stranger["Cache-Control"])
        self.assertNotIn("Surrogate-Control", stranger)
        self.assertIn("Surrogate-Capability", stranger["Vary"])
        self.sign_in("bram")
        with self.assertNoLogs("blog", "ERROR"):
            member = self.client.get("/about/")
        self.assertContains(member, ">Bram</a>")
        self.assertEqual(member["Cache-Control"], "private, no-store")

    def test_strangers_share_a_greeting(self) -> None:
        answer = self.client.get("/fragments/greeting/")
        self.assertIn("public", answer["Cache-Control"])
        self.assertNotIn("Cookie", answer.get("Vary", ""))
        page = self.client.get("/about/").content
        self.assertIn(b'<div class="reader">' + answer.content + b"</div>", page)

    @override_settings(ROOT_URLCONF=__name__)
    def test_a_public_view_that_looks_at_the_session_is_kept_private(self) -> None:
        with self.assertLogs("blog", "ERROR") as logged:
            answer = self.client.get("/careless/")
        self.assertEqual(answer["Cache-Control"], "private, no-store")
        self.assertNotIn("CDN-Cache-Control", answer)
        self.assertIn("/careless/ is public, but", logged.output[0])

    def test_a_page_costs_few_queries(self) -> None:
        for address, most in {"/": 4, f"/articles/{HARBOUR}/": 6, "/archive/": 1, "/feed/": 2, "/search/": 0}.items():
            self.client.get(address)  # the application tier is warm then
            with self.subTest(address), self.assertNumQueries(most):
                self.client.get(address)

    def test_pages_beyond_the_last_are_not_there(self) -> None:
        last = -(-ARTICLES // 13)
        self.assertEqual(self.client.get(f"/page/{last}/").status_code, 200)
        for address in (
            f"/page/{last + 1}/",
            "/page/0/",
            "/tags/tides/page/99/",
            "/archive/2026/13/",
            "/archive/1999/1/",
            "/archive/0/1/",
            "/archive/99999/1/",
            "/search/?q=the&page=0",
            "/search/?q=the&page=99",
        ):
            self.assertEqual(self.client.get(address).status_code, 404, address)

    def test_drafts_are_nowhere(self) -> None:
        draft = self.article()
        draft.status, draft.title = "draft", "Quite unfinished"
        draft.save()
        for address in [*PUBLIC, f"/articles/{HARBOUR}/", f"/comment/{HARBOUR}/"]:
            self.assertNotContains(
                answer := self.client.get(address), "Quite unfinished", status_code=answer.status_code
            )
        self.assertEqual(self.client.get(f"/articles/{HARBOUR}/").status_code, 404)


class Search(BlogTest):
    def test_all_words_must_be_there(self) -> None:
        page = self.client.get("/search/?q=flashes+dark").context["page"]
        self.assertEqual([each.slug for each in page], [FLASHES])
        self.assertEqual(list(self.client.get("/search/?q=flashes+zebra").context["page"]), [])

    def test_results_come_in_pages_without_gap_or_repeat(self) -> None:
        first = self.client.get("/search/?q=the").context["page"]
        slugs = [
            each.slug
            for n in range(first.paginator.num_pages)
            for each in self.client.get(f"/search/?q=the&page={n + 1}").context["page"]
        ]
        self.assertGreater(first.paginator.num_pages, 2)
        self.assertEqual(len(slugs), len(set(slugs)))
        self.assertEqual(len(slugs), first.paginator.count)

    def test_words_are_text(self) -> None:
        answer = self.client.get("/search/", {"q": '"><script>alert(1)</script>'})
        self.assertNotContains(answer, "<script>alert")


class Feeds(BlogTest):
    def test_the_feed_has_the_newest_articles_under_the_readers_host(self) -> None:
        answer = self.client.get("/feed/", headers={"x-forwarded-host": "127.0.0.1:8787"})
        self.assertEqual(answer["Content-Type"].split(";")[0], "application/atom+xml")
        self.assertContains(answer, "<entry>", 20)
        self.assertContains(answer, f"http://127.0.0.1:8787/articles/{HARBOUR}/")

    def test_an_edit_of_an_old_article_makes_the_feed_newer(self) -> None:
        before = self.client.get("/feed/")["Last-Modified"]
        self.article(FLASHES).save()
        self.assertNotEqual(self.client.get("/feed/")["Last-Modified"], before)
