"""The sending thread."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekeep import background, flush, sending
from edgekeep.orders import Mode, Order
from edgekeep.testing import Receiver

from .settings import SECRET


def order(name: str) -> Order:
    return Order((("tags", name),), Mode.HARD)


def test_who_orders_does_not_wait_and_orders_keep_their_order(edge: Receiver, configured: Callable[..., None]) -> None:
    configured(BACKGROUND=True)
    edge.delay = 0.05
    began = time.monotonic()
    for number in range(5):
        sending.deliver(order(f"t{number}"))
    assert time.monotonic() - began < 0.05
    assert not flush(0.01)
    assert flush(5)
    assert [each["tags"] for each in edge.orders] == [[f"t{number}"] for number in range(5)]


def test_a_full_queue_gives_up_the_newest_and_says_so(
    edge: Receiver, configured: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    configured(BACKGROUND=True, QUEUE_SIZE=2)
    edge.delay = 0.1
    sending.deliver(order("first"))
    time.sleep(0.05)  # the thread has it
    for number in range(4):
        sending.deliver(order(f"t{number}"))
    assert flush(5)
    assert edge.tags == {"first", "t0", "t1"}
    assert caplog.text.count("2 orders are waiting already (QUEUE_SIZE)") == 2


def test_a_fork_starts_with_an_empty_queue_and_a_thread_of_its_own(
    edge: Receiver, configured: Callable[..., None]
) -> None:
    configured(BACKGROUND=True)
    edge.delay = 0.2
    sending.deliver(order("parent"))
    sending.deliver(order("parent-too"))
    child = os.fork()
    if child == 0:
        sending.deliver(order("child"))
        os._exit(0 if background.flush(5) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert flush(5)
    tags = sorted(each.order["tags"][0] for each in edge.requests)
    assert tags == ["child", "parent", "parent-too"], "each once"


def run_script(site: str, script: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """Runs a process of its own to its end."""
    values = {"SITE": site, "SECRET": SECRET} | settings
    start = f"""
        import logging
        from django.conf import settings
        logging.basicConfig()
        settings.configure(EDGEKEEP={values!r}, DATABASES={{}})
        from edgekeep import sending
        from edgekeep.orders import Mode, Order
        def deliver(name):
            sending.deliver(Order((("tags", name),), Mode.HARD))
    """
    code = textwrap.dedent(start) + textwrap.dedent(script)
    folder = Path(__file__).parent.parent
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, cwd=folder)


def test_what_waits_is_sent_before_the_process_ends(edge: Receiver) -> None:
    edge.delay = 0.1
    done = run_script(edge.url, "for n in range(3): deliver(f't{n}')")
    assert (done.returncode, done.stderr) == (0, "")
    assert edge.tags == {"t0", "t1", "t2"}


def test_the_end_of_a_process_cuts_pauses_short(edge: Receiver) -> None:
    edge.script = [503] * 6  # uncut, the pauses after them take 15 seconds at least
    began = time.monotonic()
    done = run_script(edge.url, "deliver('a')", ATTEMPTS=8, EXIT_SECONDS=1)
    assert done.stderr == ""
    assert edge.tags == {"a"}
    assert time.monotonic() - began < 12


def test_what_cannot_be_sent_before_the_end_is_reported(edge: Receiver) -> None:
    edge.delay = 5
    done = run_script(edge.url, "deliver('a'); deliver('b')", EXIT_SECONDS=0.4)
    assert done.returncode == 0
    assert [line.rpartition(": ")[2] for line in done.stderr.splitlines()] == ["the process ended"] * 2


def test_an_order_at_the_very_end_of_a_process_is_still_sent(edge: Receiver) -> None:
    done = run_script(edge.url, "import atexit\natexit.register(deliver, 'last')")
    assert (done.returncode, done.stderr) == (0, "")
    assert edge.tags == {"last"}


def test_without_a_thread_it_is_sent_by_who_orders(
    configured: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 3.12 on Python starts no thread when it ends."""

    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    configured(BACKGROUND=True)
    sender = background.Sender()
    monkeypatch.setattr(threading.Thread, "start", start)
    sent: list[Order] = []  # not for real, because the receiver needs threads, too
    monkeypatch.setattr(sending, "send_reported", lambda given, hurry: sent.append(given))
    now = order("now")
    sender.put(now)
    assert sent == [now]


def test_failures_in_the_thread_do_not_end_it(
    edge: Receiver, configured: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "edgekeep")
    configured(BACKGROUND=True)
    edge.script = [400]
    sending.deliver(order("refused"))
    sending.deliver(order("fine"))
    assert flush(5)
    assert edge.tags == {"fine"}
    assert "400 As scripted" in caplog.text
