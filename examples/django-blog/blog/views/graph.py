"""
GraphQL by GET, so that its answers can be kept: the whole question stands in the address, and every object that is told
tags the answer.
"""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from edgekeep import add_tags, tag_for
from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    execute,
    parse,
    validate,
)
from graphql.language import FieldNode, FragmentSpreadNode, Node

from ..models import Article, Author, Tag
from ..public import public

QUERY_BYTES_MAX = 2_000
DEPTH_MAX = 6
FIELDS_MAX = 60
ARTICLES_MAX = 50
#: Lists nest: this many articles in an answer, all together.
TOLD_MAX = 200

TEXT = GraphQLNonNull(GraphQLString)


def field(kind: Any, get: Any = None, **arguments: Any) -> GraphQLField:
    return GraphQLField(kind, resolve=get, args={name: GraphQLArgument(of) for name, of in arguments.items()})


def list_of(kind: Any) -> GraphQLNonNull:
    return GraphQLNonNull(GraphQLList(GraphQLNonNull(kind)))


def articles_of(source: Author | Tag, info: Any, first: int = 10) -> list[Article]:
    add_tags(info.context, f"{tag_for(source)}-articles")
    return shown(info, source.articles.published(), first)


def shown(info: Any, articles: Any, first: int, offset: int = 0) -> list[Article]:
    if not 1 <= first <= ARTICLES_MAX or not 0 <= offset <= 10_000:
        raise GraphQLError(f"first is from 1 to {ARTICLES_MAX}, offset from 0 to 10000.")
    chosen = list(articles.select_related("author").prefetch_related("tags")[offset : offset + first])
    told = info.context.__dict__["_told"] = info.context.__dict__.get("_told", 0) + max(1, len(chosen))
    if told > TOLD_MAX:
        raise GraphQLError(f"At most {TOLD_MAX} articles in an answer.")
    add_tags(info.context, chosen)
    return chosen


def one(info: Any, objects: Any, slug: str) -> Any:
    found = objects.filter(slug=slug).first()
    if found is not None:
        add_tags(info.context, found)
    return found


def tagged(info: Any, objects: Any) -> Any:
    add_tags(info.context, objects)
    return objects


AUTHOR = GraphQLObjectType(
    "Author",
    lambda: {
        "name": field(TEXT),
        "slug": field(TEXT),
        "bio": field(TEXT),
        "articles": field(list_of(ARTICLE), articles_of, first=GraphQLInt),
    },
)
TAG = GraphQLObjectType(
    "Tag",
    lambda: {
        "name": field(TEXT),
        "slug": field(TEXT),
        "description": field(TEXT),
        "articles": field(list_of(ARTICLE), articles_of, first=GraphQLInt),
    },
)
ARTICLE = GraphQLObjectType(
    "Article",
    lambda: {
        "title": field(TEXT),
        "slug": field(TEXT),
        "summary": field(TEXT),
        "body": field(TEXT),
        "url": field(TEXT, lambda article, info: info.context.build_absolute_uri(article.get_absolute_url())),
        "publishedAt": field(TEXT, lambda article, info: article.published_at.isoformat()),
        "author": field(GraphQLNonNull(AUTHOR), lambda article, info: tagged(info, article.author)),
        "tags": field(list_of(TAG), lambda article, info: tagged(info, list(article.tags.all()))),
    },
)


def all_articles(_root: None, info: Any, first: int = 10, offset: int = 0) -> list[Article]:
    add_tags(info.context, "front")
    return shown(info, Article.objects.published(), first, offset)


SCHEMA = GraphQLSchema(
    GraphQLObjectType(
        "Query",
        {
            "articles": field(list_of(ARTICLE), all_articles, first=GraphQLInt, offset=GraphQLInt),
            "article": field(ARTICLE, lambda _, info, slug: one(info, Article.objects.published(), slug), slug=TEXT),
            "author": field(AUTHOR, lambda _, info, slug: one(info, Author.objects, slug), slug=TEXT),
            "authors": field(list_of(AUTHOR), lambda _, info: tagged(info, list(Author.objects.all()))),
            "tag": field(TAG, lambda _, info, slug: one(info, Tag.objects, slug), slug=TEXT),
            "tags": field(list_of(TAG), lambda _, info: tagged(info, list(Tag.objects.all()))),
        },
    )
)


def check_size(node: Node, depth: int = 0) -> int:
    """How many fields a question has; GraphQLError if it is too deep or too large, or spreads fragments."""
    if isinstance(node, FragmentSpreadNode):
        raise GraphQLError("Named fragments are not taken here.")
    depth += isinstance(node, FieldNode)
    if depth > DEPTH_MAX:
        raise GraphQLError(f"At most {DEPTH_MAX} levels.")
    children = getattr(getattr(node, "selection_set", None), "selections", None) or getattr(node, "definitions", ())
    count = isinstance(node, FieldNode) + sum(check_size(child, depth) for child in children)
    if count > FIELDS_MAX:
        raise GraphQLError(f"At most {FIELDS_MAX} fields.")
    return count


def refuse(*errors: GraphQLError) -> HttpResponse:
    return JsonResponse({"errors": [error.formatted for error in errors]}, status=400)


@require_safe
@public()
def graphql(request: HttpRequest) -> HttpResponse:
    """``?query={articles(first:3){title}}``, and ``variables`` and ``operationName``."""
    query = request.GET.get("query", "")
    if not query or len(query) > QUERY_BYTES_MAX:
        return refuse(GraphQLError(f"Ask by ?query=…, of at most {QUERY_BYTES_MAX} characters."))
    try:
        variables = json.loads(request.GET.get("variables") or "{}")
        if not isinstance(variables, dict):
            raise GraphQLError("variables is a JSON object.")
        document = parse(query)
        check_size(document)
    except ValueError as error:
        return refuse(GraphQLError(f"variables: {error}"))
    except RecursionError:
        return refuse(GraphQLError(f"At most {DEPTH_MAX} levels."))
    except GraphQLError as error:
        return refuse(error)
    wrong = validate(SCHEMA, document)
    if wrong:
        return refuse(*wrong)
    name = request.GET.get("operationName") or None
    result = execute(SCHEMA, document, context_value=request, variable_values=variables, operation_name=name)
    if result.errors:
        return refuse(*result.errors)
    return JsonResponse({"data": result.data})
