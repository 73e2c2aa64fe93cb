"""The JSON API. Conditional requests cost one query, and mostly do not come this far: the edge answers them."""

from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import condition, require_safe
from edgekeep import add_tags, tag, tag_for

from ..memory import revision
from ..models import Article, Tag
from ..public import public, tag_articles

ARTICLES_A_PAGE = 20


def told(request: HttpRequest, article: Article) -> dict[str, Any]:
    """An article as the API shows it in lists."""
    return {
        "title": article.title,
        "slug": article.slug,
        "summary": article.summary,
        "url": request.build_absolute_uri(article.get_absolute_url()),
        "author": article.author.name,
        "tags": [each.slug for each in article.tags.all()],
        "published_at": article.published_at.isoformat(),
        "updated_at": article.updated_at.isoformat(),
    }


def etag(request: HttpRequest, **_: object) -> str:
    """Of the whole blog: any change of an article, an author or a tag makes another. One query for any answer."""
    return f'"{revision(request)}"'


@require_safe
@public()
@condition(etag_func=etag)
@tag("front")
def articles(request: HttpRequest) -> HttpResponse:
    """``?tag=tea&page=2``."""
    chosen = Article.objects.published()
    if "tag" in request.GET:
        subject = Tag.objects.filter(slug=request.GET["tag"]).first()
        if subject is None:
            raise Http404("There is no such tag.")
        add_tags(request, subject, f"{tag_for(subject)}-articles")
        chosen = chosen.filter(tags=subject)
    number = request.GET.get("page", "1")
    paginator = Paginator(chosen.for_lists(), ARTICLES_A_PAGE)
    if not number.isdigit() or not 1 <= int(number[:9]) <= paginator.num_pages:
        raise Http404("There is no such page.")
    page = paginator.page(int(number))
    tag_articles(request, page)
    return JsonResponse(
        {"count": paginator.count, "pages": paginator.num_pages, "articles": [told(request, each) for each in page]}
    )


@require_safe
@public()
@condition(etag_func=etag)
def article(request: HttpRequest, slug: str) -> HttpResponse:
    found = Article.objects.published().select_related("author").prefetch_related("tags").filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such article.")
    tag_articles(request, [found])
    return JsonResponse({**told(request, found), "body": found.body})
