"""Edgekeep for Django: tags on responses, and purges when models change. README.md leads through it."""

from __future__ import annotations

from .background import flush
from .tags import add_tags, tag, tag_for
from .transactions import purge
from .watching import purge_objects, watch

__version__ = "0.1.0"

__all__ = ["add_tags", "flush", "purge", "purge_objects", "tag", "tag_for", "watch"]
