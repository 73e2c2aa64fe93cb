"""Django's admin: an edit there purges like any other."""

from django.contrib import admin

from .forms import CoverForm
from .models import Article, Author, Comment, Tag


@admin.register(Article)
class ArticleAdmin(admin.ModelAdmin):
    form = CoverForm
    list_display = ["title", "author", "status", "published_at"]
    list_filter = ["status", "author", "tags"]
    search_fields = ["title", "summary"]
    prepopulated_fields = {"slug": ["title"]}
    filter_horizontal = ["tags"]
    date_hierarchy = "published_at"


@admin.register(Author, Tag)
class NamedAdmin(admin.ModelAdmin):
    search_fields = ["name"]
    prepopulated_fields = {"slug": ["name"]}


@admin.register(Comment)
class CommentAdmin(admin.ModelAdmin):
    list_display = ["name", "article", "created_at", "is_visible"]
    list_filter = ["is_visible"]
    raw_id_fields = ["article", "user"]
