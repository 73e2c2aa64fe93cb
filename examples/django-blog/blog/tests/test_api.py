"""What machines read: the API's conditional requests and pages, and GraphQL's limits."""

from .given import ARTICLES, FLASHES, BlogTest


class Api(BlogTest):
    def test_a_conditional_request_costs_one_query(self) -> None:
        for address in ("/api/articles/", f"/api/articles/{FLASHES}/"):
            etag = self.client.get(address)["ETag"]
            with self.assertNumQueries(1):
                answer = self.client.get(address, headers={"if-none-match": etag})
            self.assertEqual((answer.status_code, answer.content), (304, b""))
            self.assertIn("public", answer["Cache-Control"])
            self.assertIn("max-age", answer["CDN-Cache-Control"])
            self.article().save()
            self.assertEqual(self.client.get(address, headers={"if-none-match": etag}).status_code, 200)

    def test_lists_come_in_pages(self) -> None:
        first = self.client.get("/api/articles/").json()
        slugs = [
            each["slug"]
            for n in range(first["pages"])
            for each in self.client.get(f"/api/articles/?page={n + 1}").json()["articles"]
        ]
        self.assertEqual((len(slugs), len(set(slugs))), (ARTICLES, ARTICLES))
        for question in ("page=0", "page=99", "page=x", "page=1e9", "tag=nothing"):
            self.assertEqual(self.client.get(f"/api/articles/?{question}").status_code, 404, question)

    def test_lists_are_by_tag(self) -> None:
        found = self.client.get("/api/articles/?tag=lighthouses").json()
        self.assertTrue(found["articles"] and all("lighthouses" in each["tags"] for each in found["articles"]))


class GraphQL(BlogTest):
    def ask(self, query: str, status: int = 200, **more: str) -> dict:
        answer = self.client.get("/graphql", {"query": query, **more})
        self.assertEqual(answer.status_code, status, answer.content)
        self.last = answer
        return answer.json()

    def test_what_is_told_tags_the_answer(self) -> None:
        told = self.ask(
            "query($s:String!){article(slug:$s){title author{name} tags{slug}}}", variables=f'{{"s":"{FLASHES}"}}'
        )
        self.assertEqual(told["data"]["article"]["title"], "Three flashes, then dark")
        article = self.article(FLASHES)
        tags = set(self.last["Cache-Tag"].split(","))
        self.assertEqual(
            tags,
            {
                f"article-{article.pk}",
                f"author-{article.author_id}",
                *(f"tag-{each.pk}" for each in article.tags.all()),
            },
        )

    def test_lists_cost_few_queries(self) -> None:
        with self.assertNumQueries(2):
            self.ask("{articles(first:30){title author{name} tags{name}}}")

    def test_too_much_is_refused_and_not_kept(self) -> None:
        deep = "{articles{author{articles{author{articles{author{name}}}}}}}"
        wide = "{" + "".join(f"a{n}:tags{{slug}} " for n in range(40)) + "}"
        for query in (
            "",
            "{",
            "{nothing}",
            deep,
            wide,
            "{articles(first:51){title}}",
            "{articles(first:-1){title}}",
            "{a" * 900,
            "query{...F} fragment F on Query{tags{slug}}",
            "mutation{x}",
        ):
            told = self.ask(query, 400)
            self.assertTrue(told["errors"][0]["message"])
            self.assertIn("private", self.last["Cache-Control"])
        self.assertEqual(self.client.post("/graphql", {"query": "{tags{slug}}"}).status_code, 405)
        self.ask("{tags{slug}}", 400, variables="[]")
        self.ask("{tags{slug}}", 400, variables="{")

    def test_depth_is_bounded_where_lists_nest(self) -> None:
        # 5 levels of lists of 50 would be 50^3 articles: the number of all objects is bounded, too.
        self.ask("{articles(first:50){author{articles(first:50){tags{articles(first:50){slug}}}}}}", 400)
