"""Sending orders: signed, tried again under the same id, within bounds; never at the cost of who ordered."""

from __future__ import annotations

import http.client
import json
import logging
import random
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from . import background, signals
from .conf import Config, config
from .orders import Order
from .webhook import signed

logger = logging.getLogger("edgekeep")

PATH = "/.edgekeep/purge"

#: Seconds before the second attempt; each later pause is twice as long, up to the most, and less by up to a half.
PAUSE_FIRST, PAUSE_MAX = 0.5, 30.0
#: Bytes of an answer: a receipt for 1,000 selectors of 64 bytes fits well.
ANSWER_BYTES_MAX = 256 * 1024

Receipt = dict[str, Any]


class PurgeError(Exception):
    """An order that was not accepted. ``status`` is 0 if there was no answer."""

    def __init__(self, text: str, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after

    @property
    def is_passing(self) -> bool:
        """Whether the same order may be accepted later."""
        return self.status in (0, 408, 425, 429) or self.status >= 500


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET, or signed for somebody else."""

    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def attempt(order: Order, settings: Config) -> Receipt:
    """Sends an order once. PurgeError says why it was not accepted."""
    body = order.body()
    fields = signed(settings.secret, order.id, int(time.time()), body)
    fields |= {"content-type": "application/json", "user-agent": "edgekeep-django"}
    request = urllib.request.Request(settings.site + PATH, body, fields, method="POST")
    until = time.monotonic() + settings.timeout
    try:
        with _opener.open(request, timeout=settings.timeout) as answer:
            receipt = json.loads(_read(answer, until))
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error, until) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise PurgeError(f"no answer: {type(reason).__name__}: {reason}") from None
    if not isinstance(receipt, dict):
        raise PurgeError("the answer is no receipt")
    return receipt


def _read(answer: Any, until: float) -> bytes:
    """A body, piece by piece, so that a slow one cannot hold us: each piece has the timeout, and so have all."""
    pieces, size = [], 0
    while piece := answer.read1(65_536):
        pieces.append(piece)
        size += len(piece)
        if size > ANSWER_BYTES_MAX or time.monotonic() > until:
            raise ValueError("the answer is too long or too slow")
    return b"".join(pieces)


def _refusal(error: urllib.error.HTTPError, until: float) -> PurgeError:
    location = error.headers.get("location")
    if location is not None and 300 <= error.code < 400:
        return PurgeError(f"{error.code}: a redirect to {location[:200]}; SITE must be the address itself", error.code)
    try:
        problem = json.loads(_read(error, until))
        texts = [str(problem.get(name, "")) for name in ("title", "detail")]
        texts += [str(each.get("detail", each)) for each in problem.get("errors", [])[:3]]
    except (OSError, http.client.HTTPException, ValueError, AttributeError, TypeError):
        texts = []
    text = ": ".join(filter(None, texts))
    asked = _seconds(error.headers.get("retry-after"))
    return PurgeError(f"{error.code} {text[:500] or error.reason}", error.code, asked)


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` in seconds; its other form, a date, is not used by Edgekeep."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 8 else None


def pause(number: int, asked: float | None = None) -> float:
    """Seconds to wait after attempt ``number`` (from 1): exponential with jitter; longer if the edge asks; bounded."""
    own = min(PAUSE_MAX, PAUSE_FIRST * 2.0 ** (number - 1)) * random.uniform(0.5, 1)
    return min(PAUSE_MAX, max(own, asked or 0))


def send(order: Order, hurry: threading.Event | None = None) -> Receipt:
    """
    Sends an order until it is accepted or refused for good, at most ATTEMPTS times, always under the same id. Blocks;
    PurgeError is the last failure. While ``hurry`` is set, there are no pauses.
    """
    settings = config()
    hurry = hurry or threading.Event()
    for number in range(1, settings.attempts + 1):
        try:
            return attempt(order, settings)
        except PurgeError as error:
            if not error.is_passing or number == settings.attempts:
                raise
            logger.info("purge %s: attempt %d: %s", order, number, error)
            hurry.wait(pause(number, error.retry_after))
    raise AssertionError("ATTEMPTS is at least 1")


def send_reported(order: Order, hurry: threading.Event | None = None) -> None:
    """Sends an order; what becomes of it goes to the log and the signals, and nothing is raised."""
    try:
        receipt = send(order, hurry)
    except Exception as error:
        report_failure(order, error)
    else:
        logger.info("purge %s: accepted as %s", order, receipt.get("sequence"))
        _tell(signals.purge_sent, order=order, receipt=receipt)


def report_failure(order: Order, error: Exception) -> None:
    """An order that is given up: an error in the log, and the signal."""
    logger.error("purge %s was not sent: %s", order, error)
    _tell(signals.purge_failed, order=order, error=error)


def _tell(signal: Any, **arguments: object) -> None:
    for receiver, result in signal.send_robust(sender=None, **arguments):
        if isinstance(result, Exception):
            logger.error("%r failed: %s", receiver, result, exc_info=result)


def deliver(order: Order) -> None:
    """Sends an order, behind the caller's back if BACKGROUND says so. Never raises."""
    try:
        settings = config()
        if not settings.enabled:
            logger.debug("purge %s: not enabled", order)
        elif settings.background:
            background.put(order)
        else:
            send_reported(order)
    except Exception as error:
        report_failure(order, error)
