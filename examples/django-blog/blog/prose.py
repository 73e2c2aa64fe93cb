"""An article's text as HTML: paragraphs, ``## `` headings and ``> `` quotations. Everything else is text."""

import re

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString


def html_of(text: str) -> SafeString:
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]
    return format_html_join("\n", "{}", ((_block(block),) for block in blocks))


def _block(block: str) -> SafeString:
    if block.startswith("## "):
        return format_html("<h2>{}</h2>", block[3:])
    if block.startswith("> "):
        return format_html("<blockquote><p>{}</p></blockquote>", block[2:])
    return format_html("<p>{}</p>", block)
