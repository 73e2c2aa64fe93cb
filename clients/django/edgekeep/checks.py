"""System checks: what ``manage.py check`` says of the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from .conf import NAME, read

MIDDLEWARE = "edgekeep.middleware.cache_tags"
#: Django's whole-site cache stores what has passed the middleware below it.
OUTER_CACHE = "django.middleware.cache.UpdateCacheMiddleware"


@register(Tags.caches)
def check_settings(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """E001 to E004: the dict; W001: no dict; W002 and W003: the middleware."""
    found: list[CheckMessage] = []
    raw = getattr(settings, NAME, None)
    if raw is None:
        hint = f'Set {NAME} = {{"SITE": …, "SECRET": …}}; or {{"ENABLED": False}} where there is no edge.'
        found.append(Warning(f"{NAME} is not set: no purge is sent.", hint=hint, id="edgekeep.W001"))
    found += [Error(fault.message, hint=fault.hint, id=f"edgekeep.E{fault.number:03}") for fault in read(raw)[1]]
    chain = list(settings.MIDDLEWARE)
    if MIDDLEWARE not in chain:
        hint = f"Add {MIDDLEWARE!r} to MIDDLEWARE; without it only the tags of @tag are sent."
        found.append(Warning("The middleware that writes Cache-Tag is not in use.", hint=hint, id="edgekeep.W002"))
    elif OUTER_CACHE in chain and chain.index(MIDDLEWARE) < chain.index(OUTER_CACHE):
        hint = f"Move {MIDDLEWARE!r} below {OUTER_CACHE!r}."
        message = "Django's cache stores pages without their tags, and so they come out of it."
        found.append(Warning(message, hint=hint, id="edgekeep.W003"))
    return found


@register(Tags.security, deploy=True)
def check_deployment(app_configs: Sequence[AppConfig] | None = None, **_: Any) -> list[CheckMessage]:
    """W004: orders in the clear. They are signed, so that nobody can change them, but anybody can read them."""
    config, _faults = read(getattr(settings, NAME, None))
    parts = urlsplit(config.site)
    if not config.enabled or parts.scheme != "http" or parts.hostname in ("localhost", "127.0.0.1", "::1"):
        return []
    message = f"{NAME}['SITE'] is an http address."
    return [Warning(message, hint="Use its https address.", id="edgekeep.W004")]
