"""What the system checks say of settings."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from edgekeep import purge
from edgekeep.checks import MIDDLEWARE, OUTER_CACHE, check_deployment, check_settings
from edgekeep.conf import config, read

from .settings import SECRET

GOOD = {"SITE": "https://www.example.com/", "SECRET": SECRET}


def told(raw: object, middleware: list[str] | None = None) -> list[tuple[str | None, str]]:
    with override_settings(EDGEKEEP=raw, MIDDLEWARE=middleware or [MIDDLEWARE]):
        return [(each.id, f"{each.msg} {each.hint}") for each in check_settings()]


@pytest.mark.parametrize(
    "raw",
    [
        GOOD,
        {"ENABLED": False},
        {"ENABLED": False, "SITE": "", "SECRET": ""},  # os.environ.get("EDGEKEEP_SECRET", "") where there is no edge
        GOOD | {"BASES": ["https://a.example", "http://b.example:8000"], "TIMEOUT": 2, "ATTEMPTS": 1, "SOFT": True},
    ],
)
def test_good_settings_pass(raw: dict[str, Any]) -> None:
    assert told(raw) == []


@pytest.mark.parametrize(
    ("raw", "id", "words"),
    [
        (None, "W001", "no purge is sent"),
        ([], "E001", "not a dict"),
        (GOOD | {"SITES": 1}, "E002", "no setting 'SITES'"),
        ({"SECRET": SECRET}, "E004", "['SITE'] is missing"),
        ({"SITE": "https://a.example"}, "E004", "['SECRET'] is missing"),
        (GOOD | {"SECRET": ""}, "E004", "['SECRET'] is missing"),
        (GOOD | {"SECRET": None}, "E004", "['SECRET'] is missing"),
        (GOOD | {"SITE": "www.example.com"}, "E003", "a URL without a path"),
        (GOOD | {"SITE": "https://a.example/path"}, "E003", "a URL without a path"),
        (GOOD | {"SITE": "https://user:word@a.example"}, "E003", "a URL without a path"),
        (GOOD | {"SITE": "https://a.example:port"}, "E003", "a URL without a path"),
        (GOOD | {"SECRET": "very private"}, "E003", "whsec_ and the base64"),
        (GOOD | {"SECRET": 7}, "E003", "whsec_ and the base64"),
        (GOOD | {"BASES": "https://a.example"}, "E003", "a list"),
        (GOOD | {"BASES": ["a.example"]}, "E003", "a list"),
        (GOOD | {"SOFT": 1}, "E003", "True or False"),
        (GOOD | {"ENABLED": None}, "E003", "True or False"),
        (GOOD | {"TIMEOUT": 0}, "E003", "a number from 0.1 to 60"),
        (GOOD | {"TIMEOUT": True}, "E003", "a number"),
        (GOOD | {"ATTEMPTS": 2.5}, "E003", "a whole number from 1 to 20"),
    ],
)
def test_a_bad_setting_is_told(raw: object, id: str, words: str) -> None:
    (found,) = told(raw)
    assert found[0] == f"edgekeep.{id}"
    assert words in found[1]
    assert "very private" not in found[1]
    assert "user:word" not in found[1]


def test_the_middleware_is_asked_for_in_its_place() -> None:
    assert [id for id, _ in told(GOOD, ["other"])] == ["edgekeep.W002"]
    assert [id for id, _ in told(GOOD, [MIDDLEWARE, OUTER_CACHE])] == ["edgekeep.W003"]
    assert told(GOOD, [OUTER_CACHE, MIDDLEWARE]) == []


@pytest.mark.parametrize(
    ("site", "expected"),
    [("https://a.example", []), ("http://127.0.0.1:8787", []), ("http://a.example", ["edgekeep.W004"])],
)
def test_orders_in_the_clear_are_told_at_deployment(site: str, expected: list[str]) -> None:
    with override_settings(EDGEKEEP=GOOD | {"SITE": site}):
        assert [each.id for each in check_deployment()] == expected


def test_the_secret_is_not_in_the_settings_text() -> None:
    assert SECRET not in repr(read(GOOD))


def test_a_base_is_the_site_by_default_and_settings_can_change() -> None:
    with override_settings(EDGEKEEP=GOOD):
        assert config().bases == ("https://www.example.com",)
    with override_settings(EDGEKEEP=GOOD | {"BASES": ["https://m.example.com/"]}):
        assert config().bases == ("https://m.example.com",)


def test_bad_settings_are_an_error_to_who_purges_by_hand() -> None:
    with override_settings(EDGEKEEP=GOOD | {"SECRET": "very private"}):
        with pytest.raises(ImproperlyConfigured) as caught:
            purge(tags=["a"])
        assert "very private" not in str(caught.value)
