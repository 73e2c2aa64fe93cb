"""The sending thread: one a process, started with the first order, so that who saves does not wait for the edge."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque

from django.db import close_old_connections

from .conf import config
from .orders import Order


class Sender:
    """A bounded queue, and the thread that empties it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Order] = deque()
        self._current: Order | None = None
        self._thread: threading.Thread | None = None
        #: Set at the end of the process: pauses are left out.
        self.hurry = threading.Event()

    def put(self, order: Order) -> None:
        """Takes an order; one that finds QUEUE_SIZE others before it is given up and reported."""
        from .sending import PurgeError, report_failure, send_reported

        most = config().queue_size
        with self._changed:
            full = len(self._waiting) >= most
            runs = not full and self._start()
            if runs:
                self._waiting.append(order)
                self._changed.notify_all()
        if full:
            report_failure(order, PurgeError(f"{most} orders are waiting already (QUEUE_SIZE)"))
        elif not runs:
            send_reported(order, self.hurry)

    def _start(self) -> bool:
        """Whether the thread runs. At the very end of a process none can be started."""
        if self._thread is not None and self._thread.is_alive():
            return True
        thread = threading.Thread(target=self._run, name="edgekeep", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        return True

    def _run(self) -> None:
        from .sending import send_reported

        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                order = self._current = self._waiting.popleft()
            try:
                send_reported(order, self.hurry)
                close_old_connections()  # a receiver of our signals may have used the database
            finally:
                with self._changed:
                    self._current = None
                    self._changed.notify_all()

    def _is_idle(self) -> bool:
        return not self._waiting and self._current is None

    def flush(self, seconds: float) -> bool:
        """Waits until everything is sent or given up. Whether that was so in time."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, seconds)

    def close(self) -> None:
        """At exit: what waits is sent without pauses, within EXIT_SECONDS; what is left then is reported."""
        from .sending import PurgeError, report_failure

        with self._changed:
            if self._is_idle():
                return
        seconds = config().exit_seconds
        # Half of the time as usual; then without pauses, so that each order is tried at least once.
        until = time.monotonic() + seconds
        if self.flush(seconds / 2):
            return
        self.hurry.set()
        if self.flush(max(0.0, until - time.monotonic())):
            return
        with self._changed:
            left = [*filter(None, [self._current]), *self._waiting]
            self._waiting.clear()
        for order in left:
            report_failure(order, PurgeError("the process ended"))


_sender = Sender()


def put(order: Order) -> None:
    """Sends an order from the thread."""
    _sender.put(order)


def flush(seconds: float = 10.0) -> bool:
    """
    Waits until every order of this process is sent or given up; whether that was so in time. For processes that end
    without Python's exit handlers, such as the workers of some task queues, and for tests.
    """
    return _sender.flush(seconds)


def _after_fork() -> None:
    # Threads do not survive a fork; what waited is sent by the parent.
    global _sender
    _sender = Sender()


atexit.register(lambda: _sender.close())
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
