"""``{% greeting %}``: the reader's corner, by the edge or by Django."""

from django import template
from django.template.context import RequestContext
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ..fragments import at_the_edge
from ..views.members import greeting_of

register = template.Library()


@register.simple_tag(takes_context=True)
def greeting(context: RequestContext) -> SafeString:
    request = context["request"]
    if at_the_edge(request):
        return format_html('<esi:include src="{}" onerror="continue"/>', reverse("greeting"))
    return greeting_of(request)
