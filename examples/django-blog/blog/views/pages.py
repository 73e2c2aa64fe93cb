"""Pages that are the same for everybody. None of them looks at the session."""

from collections import Counter
from datetime import datetime, timezone

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from edgekeep import add_tags, tag, tag_for

from ..art import cover_svg
from ..memory import remembered
from ..models import Article, Author, Tag, comments_tag
from ..prose import html_of
from ..public import WEEK, YEAR, public, tag_articles
from ..related import earlier_on_the_same

ARTICLES_A_PAGE = 13  # one above, and four rows of three
SUBJECTS_IN_FRONT = 9
SEARCH_WORDS_MAX = 6
SEARCH_SECONDS = 600


def page_of(request: HttpRequest, articles: QuerySet[Article], number: int, size: int = ARTICLES_A_PAGE) -> Page:
    """One page of a list, tagged with what it shows; 404 beyond the last."""
    paginator = Paginator(articles.for_lists(), size)
    if not 1 <= number <= paginator.num_pages:
        raise Http404("There is no such page.")
    page = paginator.page(number)
    tag_articles(request, page)
    return page


@public()
@tag("front")
def front(request: HttpRequest, number: int = 1) -> HttpResponse:
    page = page_of(request, Article.objects.published(), number)
    context = {"page": page}
    if number == 1:
        add_tags(request, "tags")
        context["subjects"] = subjects(request)[:SUBJECTS_IN_FRONT]
    return render(request, "blog/front.html", context)


@public()
def article(request: HttpRequest, slug: str) -> HttpResponse:
    shown = get_object_or_404(Article.objects.published().select_related("author").prefetch_related("tags"), slug=slug)
    related = earlier_on_the_same(request, shown)
    add_tags(request, comments_tag(shown))
    tag_articles(request, [shown, *related])
    context = {
        "article": shown,
        "body": html_of(shown.body),
        "related": related,
        "comments": shown.comments.filter(is_visible=True),
    }
    return render(request, "blog/article.html", context)


@public()
@tag("archive")
def archive(request: HttpRequest) -> HttpResponse:
    def count() -> list[tuple[int, list[tuple[datetime, int]]]]:
        times = Article.objects.published().values_list("published_at", flat=True)
        months = Counter((at.year, at.month) for at in times)
        years = sorted({year for year, _ in months}, reverse=True)
        return [(y, [(datetime(y, m, 1), months[y, m]) for m in range(1, 13) if (y, m) in months]) for y in years]

    return render(request, "blog/archive.html", {"years": remembered(request, "archive", count)})


@public()
@tag(lambda request, year, month: f"archive-{year}-{month:02}")
def archive_month(request: HttpRequest, year: int, month: int) -> HttpResponse:
    if not 1 <= month <= 12 or not 1 <= year <= 9998:
        raise Http404("There is no such month.")
    articles = Article.objects.published().filter(published_at__year=year, published_at__month=month).for_lists()
    if not articles:
        raise Http404("Nothing was published then.")
    tag_articles(request, articles)
    context = {"articles": articles, "month": datetime(year, month, 1, tzinfo=timezone.utc)}
    return render(request, "blog/archive_month.html", context)


@public()
@tag("tags")
def tags(request: HttpRequest) -> HttpResponse:
    return render(request, "blog/tags.html", {"subjects": sorted(subjects(request), key=lambda each: each.name)})


@public()
def tag_page(request: HttpRequest, slug: str, number: int = 1) -> HttpResponse:
    subject = get_object_or_404(Tag, slug=slug)
    add_tags(request, subject, f"{tag_for(subject)}-articles")
    page = page_of(request, subject.articles.published(), number, 12)
    return render(request, "blog/tag.html", {"tag": subject, "page": page})


@public()
def author(request: HttpRequest, slug: str, number: int = 1) -> HttpResponse:
    writer = get_object_or_404(Author, slug=slug)
    add_tags(request, writer, f"{tag_for(writer)}-articles")
    page = page_of(request, writer.articles.published(), number, 12)
    return render(request, "blog/author.html", {"author": writer, "page": page})


@public(edge_seconds=SEARCH_SECONDS)
@tag("search")
def search(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("q", "").split()[:SEARCH_WORDS_MAX]
    number = request.GET.get("page", "1")
    page = None
    if words:
        page = page_of(request, found(words), int(number) if number.isdigit() and len(number) < 6 else 1, 10)
    return render(request, "blog/search.html", {"query": " ".join(words), "page": page})


def found(words: list[str]) -> QuerySet[Article]:
    """The articles that have all the words, newest first."""
    articles = Article.objects.published()
    for word in words:
        articles = articles.filter(Q(title__icontains=word) | Q(summary__icontains=word) | Q(body__icontains=word))
    return articles


def subjects(request: HttpRequest) -> list[Tag]:
    """All tags with the number of their articles, those with most first; tags the page with each of them."""

    def count() -> list[Tag]:
        published = Count("articles", filter=Q(articles__status=Article.Status.PUBLISHED))
        return list(Tag.objects.annotate(count=published).filter(count__gt=0).order_by("-count", "name"))

    counted = remembered(request, "subjects", count)
    add_tags(request, counted)
    return counted


@public(edge_seconds=YEAR, browser_seconds=WEEK)
def cover(request: HttpRequest, slug: str) -> HttpResponse:
    """A landscape drawn from the slug alone: no query, and the same for ever."""
    return HttpResponse(cover_svg(slug), content_type="image/svg+xml")


@public()
def about(request: HttpRequest) -> HttpResponse:
    authors = Author.objects.all()
    add_tags(request, authors)
    return render(request, "blog/about.html", {"authors": authors})


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Also what is not there is asked for again and again; a purge of its address ends this, too."""
    response = render(request, "blog/404.html", status=404)
    if not request.session.accessed:
        response["Cache-Control"] = "public, max-age=0, s-maxage=30"
    return response
