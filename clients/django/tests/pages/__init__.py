"""Pages of Wagtail."""
