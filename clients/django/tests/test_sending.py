"""Sending to a real HTTP server: retries, limits, and what is said of failures."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edgekeep import purge, sending, signals
from edgekeep.orders import Mode, Order
from edgekeep.sending import PAUSE_MAX, PurgeError, pause, send
from edgekeep.testing import Receiver

from .settings import SECRET

ORDER = Order((("tags", "front"),), Mode.HARD, "msg_1")


@pytest.fixture
def told() -> Iterator[list[tuple[str, Any]]]:
    """What the signals say."""
    noted: list[tuple[str, Any]] = []

    def sent(order: Order, receipt: dict[str, Any], **_: Any) -> None:
        noted.append(("sent", receipt))

    def failed(order: Order, error: PurgeError, **_: Any) -> None:
        noted.append(("failed", error))

    signals.purge_sent.connect(sent)
    signals.purge_failed.connect(failed)
    yield noted
    signals.purge_sent.disconnect(sent)
    signals.purge_failed.disconnect(failed)


@pytest.mark.usefixtures("configured")
def test_an_order_arrives_signed(edge: Receiver) -> None:
    receipt = send(ORDER)
    assert receipt == {"id": "msg_1", "sequence": 1}
    (received,) = edge.requests
    assert (received.id, received.status, received.order) == ("msg_1", 200, {"tags": ["front"]})
    assert abs(received.timestamp - time.time()) < 5


def test_another_secret_is_refused_and_not_tried_again(edge: Receiver, configured: Callable[..., None]) -> None:
    configured(SECRET="whsec_" + "A" * 32)
    with pytest.raises(PurgeError, match="401 Not accepted") as caught:
        send(ORDER)
    assert caught.value.status == 401
    assert len(edge.requests) == 1


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("script", [[503], [None], [500, 429], [502, None, 504], [408, 425, 503, 503]])
def test_passing_failures_are_tried_again_under_the_same_id(
    edge: Receiver, pauses: list[float], script: list[int | None]
) -> None:
    edge.script = list(script)
    assert send(ORDER)["sequence"] == 1
    assert [each.status for each in edge.requests] == [*(status or 0 for status in script), 200]
    assert {each.id for each in edge.requests} == {"msg_1"}
    assert len(edge.orders) == 1
    assert len(pauses) == len(script)


@pytest.mark.usefixtures("configured", "pauses")
def test_the_last_failure_is_told_after_as_many_attempts_as_set(edge: Receiver) -> None:
    edge.script = [503] * 9
    with pytest.raises(PurgeError, match="503 As scripted"):
        send(ORDER)
    assert len(edge.requests) == 5


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("status", [400, 401, 404, 405, 409, 413, 422])
def test_what_is_refused_for_good_is_not_tried_again(edge: Receiver, status: int) -> None:
    edge.script = [status]
    with pytest.raises(PurgeError, match=f"^{status} As scripted"):
        send(ORDER)
    assert len(edge.requests) == 1


@pytest.mark.usefixtures("configured")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(edge: Receiver, status: int) -> None:
    edge.script = [status]
    with pytest.raises(PurgeError, match=f"{status}: a redirect to {edge.url}/elsewhere"):
        send(ORDER)
    assert len(edge.requests) == 1


def test_nobody_there_is_a_passing_failure(configured: Callable[..., None], pauses: list[float]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        configured(SITE=f"http://127.0.0.1:{unused.getsockname()[1]}", ATTEMPTS=3)
        with pytest.raises(PurgeError, match="no answer: ConnectionRefusedError"):
            send(ORDER)
    assert len(pauses) == 2


def test_an_edge_that_does_not_answer_is_given_up_in_time(edge: Receiver, configured: Callable[..., None]) -> None:
    edge.delay = 0.6
    configured(TIMEOUT=0.1, ATTEMPTS=1)
    began = time.monotonic()
    with pytest.raises(PurgeError, match="no answer: TimeoutError"):
        send(ORDER)
    assert time.monotonic() - began < 0.5


def _serve_once(listener: socket.socket, head: bytes, piece: bytes, pause_seconds: float) -> None:
    client, _ = listener.accept()
    with client:
        client.recv(65_536)
        client.sendall(head)
        try:
            for _ in range(100):
                client.sendall(piece)
                time.sleep(pause_seconds)
        except OSError:
            pass


@pytest.mark.parametrize(("piece", "pause_seconds"), [(b"x", 0.05), (b"x" * 65_536, 0)])
def test_an_answer_that_drips_or_floods_is_given_up(
    configured: Callable[..., None], piece: bytes, pause_seconds: float
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        head = b"HTTP/1.1 200 OK\r\n\r\n"
        thread = threading.Thread(target=_serve_once, args=(listener, head, piece, pause_seconds), daemon=True)
        thread.start()
        configured(SITE=f"http://127.0.0.1:{listener.getsockname()[1]}", TIMEOUT=0.5, ATTEMPTS=1)
        began = time.monotonic()
        with pytest.raises(PurgeError, match="too long or too slow"):
            send(ORDER)
        assert time.monotonic() - began < 2
        thread.join()


def test_pauses_grow_are_scattered_and_bounded() -> None:
    for number, most in [(1, 0.5), (2, 1), (3, 2), (7, 30), (100, 30)]:
        drawn = {pause(number) for _ in range(200)}
        assert len(drawn) > 100
        assert most / 2 <= min(drawn) < max(drawn) <= most
    assert pause(1, asked=5) == 5
    assert pause(1, asked=10_000) == PAUSE_MAX


@pytest.mark.usefixtures("configured")
@pytest.mark.django_db
def test_the_signals_and_the_log_say_what_became_of_an_order(
    edge: Receiver, told: list[tuple[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "edgekeep")
    sending.deliver(ORDER)
    edge.script = [400]
    sending.deliver(Order((("tags", "other"),), Mode.SOFT, "msg_2"))
    assert told[0] == ("sent", {"id": "msg_1", "sequence": 1})
    assert (told[1][0], told[1][1].status) == ("failed", 400)
    assert "purge msg_2 (soft: other) was not sent: 400 As scripted" in caplog.text
    assert SECRET not in caplog.text
    assert "v1," not in caplog.text


@pytest.mark.usefixtures("configured")
def test_a_receiver_of_our_signals_that_fails_harms_nobody(edge: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("broken receiver")

    signals.purge_sent.connect(broken)
    try:
        sending.deliver(ORDER)
    finally:
        signals.purge_sent.disconnect(broken)
    assert len(edge.orders) == 1
    assert "broken receiver" in caplog.text
    assert "was not sent" not in caplog.text


@pytest.mark.django_db
def test_bad_settings_do_not_break_who_saves(configured: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    configured(SECRET="very private")
    sending.deliver(ORDER)
    assert "was not sent" in caplog.text
    assert "very private" not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_where_it_is_not_enabled(edge: Receiver, configured: Callable[..., None]) -> None:
    configured(ENABLED=False)
    purge(tags=["front"])
    configured()
    assert edge.requests == []
    purge(tags=["front"])
    assert edge.tags == {"front"}
