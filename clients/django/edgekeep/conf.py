"""The settings: one dict, ``EDGEKEEP``, in Django's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from .webhook import key_of

NAME = "EDGEKEEP"


@dataclass(frozen=True)
class Config:
    """The settings as read; README.md says what each means. Times are in seconds."""

    enabled: bool = True
    site: str = ""
    secret: str = field(default="", repr=False)
    bases: tuple[str, ...] = ()
    soft: bool = False
    refresh: bool = False
    background: bool = True
    timeout: float = 5.0
    attempts: int = 5
    queue_size: int = 1000
    exit_seconds: float = 10.0


@dataclass(frozen=True)
class Fault:
    """Something wrong with a setting. Never holds a secret."""

    number: int
    message: str
    hint: str


def read(raw: object) -> tuple[Config, list[Fault]]:
    """The settings, and what is wrong with them. What is wrong keeps its default."""
    if raw is None:
        return Config(enabled=False), []
    if not isinstance(raw, Mapping):
        return Config(enabled=False), [Fault(1, f"{NAME} is not a dict.", 'Write EDGEKEEP = {"SITE": …, "SECRET": …}.')]
    known = {each.name.upper(): each.name for each in fields(Config)}
    faults = [
        Fault(2, f"{NAME} has no setting {str(name)[:60]!r}.", f"There are: {', '.join(known)}.")
        for name in raw
        if name not in known
    ]
    values: dict[str, Any] = {}
    for name, (fits, form) in _FORMS.items():
        if name not in raw or (name in _NEEDED and raw[name] in ("", None)):
            continue  # an empty one, as from an environment that does not have it, is missing
        if fits(raw[name]):
            values[known[name]] = raw[name]
        else:
            faults.append(Fault(3, f"{NAME}[{name!r}] is not as it should be.", f"It must be {form}."))
    if values.get("enabled", True) is False:
        return Config(**_tidy(values)), faults
    for name, hint in _NEEDED.items():
        if not raw.get(name):
            faults.append(Fault(4, f"{NAME}[{name!r}] is missing.", hint))
    if faults:
        values["enabled"] = False
    return Config(**_tidy(values)), faults


def _tidy(values: dict[str, Any]) -> dict[str, Any]:
    values = dict(values)
    if "site" in values:
        values["site"] = values["site"].rstrip("/")
    bases = values.get("bases") or [values.get("site", "")]
    values["bases"] = tuple(base.rstrip("/") for base in bases if base)
    return values


def _is_base(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in value:
        return False
    return value.rstrip("/") == f"{parts.scheme}://{parts.netloc}"


def _is_secret(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(key_of(value))
    except ValueError:
        return False


def _number(least: float, most: float, *kinds: type) -> tuple[Callable[[object], bool], str]:
    def fits(value: object) -> bool:
        return isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most  # type: ignore[operator]

    return fits, f"a {'whole number' if kinds == (int,) else 'number'} from {least:g} to {most:g}"


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _are_bases(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_base, value))


_FLAG = (_is_flag, "True or False")
_BASE_FORM = "a URL without a path, such as https://www.example.com"

_FORMS: dict[str, tuple[Callable[[object], bool], str]] = {
    "ENABLED": _FLAG,
    "SITE": (_is_base, _BASE_FORM),
    "SECRET": (_is_secret, "one secret of PURGE_SECRETS: whsec_ and the base64 of 24 to 64 bytes"),
    "BASES": (_are_bases, f"a list, each of it {_BASE_FORM}"),
    "SOFT": _FLAG,
    "REFRESH": _FLAG,
    "BACKGROUND": _FLAG,
    "TIMEOUT": _number(0.1, 60, int, float),
    "ATTEMPTS": _number(1, 20, int),
    "QUEUE_SIZE": _number(1, 100_000, int),
    "EXIT_SECONDS": _number(0, 300, int, float),
}

_NEEDED = {
    "SITE": f'The address that orders are sent to, {_BASE_FORM}; or say "ENABLED": False.',
    "SECRET": 'The secret that signs orders, for example os.environ["EDGEKEEP_SECRET"]; or say "ENABLED": False.',
}

_current: Config | None = None


def config() -> Config:
    """The settings in force. ImproperlyConfigured names the first that is wrong."""
    global _current
    if _current is None:
        found, faults = read(getattr(settings, NAME, None))
        if faults:
            raise ImproperlyConfigured(f"{faults[0].message} {faults[0].hint}")
        _current = found
    return _current


def _forget(*, setting: str, **_: object) -> None:
    global _current
    if setting == NAME:
        _current = None


setting_changed.connect(_forget, dispatch_uid="edgekeep.conf")
