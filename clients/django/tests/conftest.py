"""A real HTTP server as the edge, which verifies signatures by the public package ``standardwebhooks``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import override_settings
from standardwebhooks import Webhook

from edgekeep import sending
from edgekeep.testing import Receiver

from .settings import SECRET


@pytest.fixture
def edge() -> Iterator[Receiver]:
    with Receiver(SECRET, verify=lambda body, fields: Webhook(SECRET).verify(body, dict(fields))) as receiver:
        yield receiver


@pytest.fixture
def configured(edge: Receiver) -> Iterator[Callable[..., None]]:
    """Sets EDGEKEEP for the test; call it again to change something."""
    overrides: list[override_settings] = []

    def configure(**changes: Any) -> None:
        values = {"SITE": edge.url, "SECRET": SECRET, "BASES": ["https://www.example.com"], "BACKGROUND": False}
        override = override_settings(EDGEKEEP=values | changes)
        override.enable()
        overrides.append(override)

    configure()
    yield configure
    for override in reversed(overrides):
        override.disable()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses between attempts take no time, and are noted."""
    noted: list[float] = []
    real = sending.pause

    def pause(number: int, asked: float | None = None) -> float:
        noted.append(real(number, asked))
        return 0

    monkeypatch.setattr(sending, "pause", pause)
    return noted
