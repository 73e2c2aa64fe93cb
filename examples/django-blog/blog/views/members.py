"""Pages and fragments that are one reader's own: accounts, forms with a token, writing. None of them is ever stored."""

from datetime import datetime, timezone

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe
from edgekeep import tag_for

from ..changes import CHANGES
from ..forms import ArticleForm, CommentForm, SignUpForm
from ..fragments import has_session
from ..models import Article, Author, Comment, comments_tag
from ..public import public


@require_safe
def greeting(request: HttpRequest) -> HttpResponse:
    """The reader's corner of every page, as a fragment. Those without a session share one, which may be stored."""
    return greeting_of_a_member(request) if has_session(request) else greeting_of_a_stranger(request)


def greeting_of_a_member(request: HttpRequest) -> HttpResponse:
    return HttpResponse(greeting_of(request))


@public()
def greeting_of_a_stranger(request: HttpRequest) -> HttpResponse:
    return HttpResponse(greeting_of(request))


def greeting_of(request: HttpRequest) -> SafeString:
    """The corner itself. A look at the user would make it one reader's own, so without a session there is none."""
    if not has_session(request):
        return render_to_string("fragments/sign_in.html")
    hour = datetime.now(timezone.utc).hour
    part = "morning" if 5 <= hour < 12 else "afternoon" if 12 <= hour < 18 else "evening"
    return render_to_string("fragments/greeting.html", {"part": part, "writer": writer_of(request)}, request)


@require_safe
def comment_form(request: HttpRequest, slug: str) -> HttpResponse:
    """The form alone, with its token, for the script of an article's page."""
    article = get_object_or_404(Article.objects.published(), slug=slug)
    return render(request, "fragments/comment_form.html", {"article": article, "form": new_form(request)})


def comment(request: HttpRequest, slug: str) -> HttpResponse:
    """The form's own page, which works without scripts, and where it is sent to."""
    article = get_object_or_404(Article.objects.published(), slug=slug)
    form = CommentForm(request.POST) if request.method == "POST" else new_form(request)
    if request.method != "POST" or not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "blog/comment.html", {"article": article, "form": form}, status=status)
    form.instance.article = article
    form.instance.user = request.user if request.user.is_authenticated else None
    form.instance.created_at = datetime.now(timezone.utc)
    saved = form.save()
    return HttpResponseRedirect(f"{article.get_absolute_url()}#comment-{saved.pk}", status=303)


@require_safe
def changes(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Server-sent events: that an article's page has changed, and after how many milliseconds that is so everywhere.

    204 means that there are none, and that the browser need not ask again.
    """
    article = get_object_or_404(Article.objects.published(), slug=slug)
    reader = CHANGES.enter([tag_for(article), comments_tag(article)]) if request.method == "GET" else None
    if reader is None:
        return HttpResponse(status=204)
    connection.close()  # a stream lasts for minutes
    return StreamingHttpResponse(reader, content_type="text/event-stream")


def new_form(request: HttpRequest) -> CommentForm:
    user = request.user
    return CommentForm(initial={"name": user.first_name or user.username} if user.is_authenticated else {})


def sign_up(request: HttpRequest) -> HttpResponse:
    form = SignUpForm(request.POST or None)
    if form.is_valid():
        login(request, form.save())
        return redirect("profile")
    return render(request, "registration/signup.html", {"form": form}, status=422 if form.is_bound else 200)


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    comments = Comment.objects.filter(user=request.user).select_related("article").order_by("-created_at")[:20]
    return render(request, "registration/profile.html", {"comments": comments, "writer": writer_of(request)})


def writer_of(request: HttpRequest) -> Author | None:
    return Author.objects.filter(user=request.user).first() if request.user.is_authenticated else None


def must_write(request: HttpRequest) -> Author:
    writer = writer_of(request)
    if writer is None:
        raise PermissionDenied("Only authors write articles.")
    return writer


@login_required
def desk(request: HttpRequest) -> HttpResponse:
    return render(request, "blog/desk.html", {"articles": must_write(request).articles.all()[:100]})


@login_required
def edit(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    writer = must_write(request)
    now = datetime.now(timezone.utc).replace(microsecond=0)
    article = get_object_or_404(Article, pk=pk, author=writer) if pk else Article(author=writer, published_at=now)
    form = ArticleForm(request.POST or None, request.FILES or None, instance=article)
    if form.is_valid():
        saved = form.save()
        return redirect(saved if saved.status == Article.Status.PUBLISHED else "desk")
    return render(request, "blog/edit.html", {"form": form, "article": article}, status=422 if form.is_bound else 200)


@login_required
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    get_object_or_404(Article, pk=pk, author=must_write(request)).delete()
    return redirect("desk")
