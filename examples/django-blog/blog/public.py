"""Who may keep a page, and for how long."""

from collections.abc import Callable, Iterable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from edgekeep import add_tags

from .models import Article

MINUTE, DAY, WEEK, YEAR = 60, 86_400, 604_800, 31_536_000


def public(edge_seconds: int = DAY, browser_seconds: int = 0) -> Callable:
    """
    Marks a view whose page is the same for everybody.

    Browsers keep it but ask each time, since no purge reaches them; a 304 comes from the edge. Other shared caches have
    a minute. Edgekeep, which hears of every change, has ``edge_seconds``; after that it may serve the old page for a
    day while it fetches the new one, and for a week while we are down. These two stand in CDN-Cache-Control (RFC 9213)
    alone: browsers know stale-while-revalidate, too, and would show a reader the page from before a comment.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view, updated=())
        def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
            response = view(request, *args, **kwargs)
            if response.status_code in (200, 301, 304) and not response.has_header("Cache-Control"):
                shared = min(edge_seconds, MINUTE)
                response["Cache-Control"] = (
                    f"public, max-age={browser_seconds}, s-maxage={max(shared, browser_seconds)}"
                )
                windows = f"stale-while-revalidate={DAY}, stale-if-error={WEEK}"
                response["CDN-Cache-Control"] = f"max-age={edge_seconds}, {windows}"
            return response

        return answer

    return decorate


def forever(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Marks a view of what never changes at its address: files with a digest in their names."""

    @wraps(view, updated=())
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = view(request, *args, **kwargs)
        if response.status_code in (200, 304):
            response["Cache-Control"] = f"public, max-age={YEAR}, immutable"
        return response

    return answer


def tag_articles(request: HttpRequest, articles: Iterable[Article]) -> None:
    """Tags the page with the articles that it lists, and with the names that stand beside them."""
    for article in articles:
        add_tags(request, article, article.author, article.tags.all())
