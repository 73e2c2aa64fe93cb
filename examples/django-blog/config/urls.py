"""Every address of the blog. What is one reader's own lies under a few prefixes, which edgekeep.toml names."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.contrib.sitemaps.views import sitemap
from django.urls import include, path
from edgekeep import tag

from blog.feeds import SITEMAPS, Newest, NewestOfTag
from blog.public import DAY, public
from blog.views import api, files, graph, members, pages

for_everybody = [
    path("", pages.front, name="front"),
    path("page/<int:number>/", pages.front, name="front"),
    path("articles/<slug:slug>/", pages.article, name="article"),
    path("archive/", pages.archive, name="archive"),
    path("archive/<int:year>/<int:month>/", pages.archive_month, name="archive-month"),
    path("tags/", pages.tags, name="tags"),
    path("tags/<slug:slug>/", pages.tag_page, name="tag"),
    path("tags/<slug:slug>/page/<int:number>/", pages.tag_page, name="tag"),
    path("tags/<slug:slug>/feed/", public()(NewestOfTag()), name="tag-feed"),
    path("authors/<slug:slug>/", pages.author, name="author"),
    path("authors/<slug:slug>/page/<int:number>/", pages.author, name="author"),
    path("about/", pages.about, name="about"),
    path("search/", pages.search, name="search"),
    path("feed/", public()(Newest()), name="feed"),
    path("sitemap.xml", public(DAY)(tag("search", "tags")(sitemap)), {"sitemaps": SITEMAPS}, name="sitemap"),
    path("api/articles/", api.articles, name="api-articles"),
    path("api/articles/<slug:slug>/", api.article, name="api-article"),
    path("graphql", graph.graphql, name="graphql"),
    path("covers/<slug:slug>.svg", pages.cover, name="cover"),
    path("static/<path:path>", files.static_file),
    path("media/<path:path>", files.media_file),
]

for_one_reader = [
    path("fragments/greeting/", members.greeting, name="greeting"),
    path("fragments/comment-form/<slug:slug>/", members.comment_form, name="comment-form"),
    path("changes/<slug:slug>/", members.changes, name="changes"),
    path("comment/<slug:slug>/", members.comment, name="comment"),
    path("accounts/login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path("accounts/signup/", members.sign_up, name="signup"),
    path("accounts/profile/", members.profile, name="profile"),
    path("write/", members.desk, name="desk"),
    path("write/new/", members.edit, name="new"),
    path("write/<int:pk>/", members.edit, name="edit"),
    path("write/<int:pk>/delete/", members.delete, name="delete"),
    path("admin/", admin.site.urls),
]

urlpatterns = [path("", include(for_everybody)), path("", include(for_one_reader))]
handler404 = "blog.views.pages.not_found"
