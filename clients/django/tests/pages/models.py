"""A Wagtail page type."""

from wagtail.models import Page


class PlainPage(Page):  # type: ignore[misc]
    """Nothing but a page."""
