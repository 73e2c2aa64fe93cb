"""Tells readers that the page which they have open has changed.

Each process has one connection to the events of the edge, whatever the number of its readers. It needs the secret,
which no reader may have. See docs/events.md of Edgekeep.
"""

import json
import logging
import queue
import random
import threading
import time
from collections.abc import Iterable

from django.utils.dateparse import parse_datetime
from edgekeep.conf import config
from edgekeep.webhook import signed
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

logger = logging.getLogger("blog")

#: Each reader occupies a thread of this process (scripts/django/blog.mjs starts 12). More readers than a few need a
#: server for asynchronous views.
READERS_MAX = 8
#: A stream ends after so many seconds, and the browser opens it again.
STREAM_SECONDS = 600
#: After so many quiet seconds something is sent, to notice that a reader has gone, or that the edge has.
BEAT_SECONDS = 15
#: Seconds until the edge is connected again, at first and at most.
AGAIN_FIRST, AGAIN_MAX = 1.0, 60.0


class Reader:
    """A stream of server-sent events for one reader: the changes of what carries these tags."""

    def __init__(self, changes: "Changes", tags: Iterable[str]) -> None:
        self.names = {"everything", *(f"tag:{tag}" for tag in tags)}
        self.lags_ms: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._changes = changes
        self._until = time.monotonic() + STREAM_SECONDS
        self._greeted = False

    def __iter__(self) -> "Reader":
        return self

    def __next__(self) -> bytes:
        if not self._greeted:
            self._greeted = True
            return b": open\n\n"
        if time.monotonic() > self._until:
            raise StopIteration
        try:
            return b"event: change\ndata: %d\n\n" % self.lags_ms.get(timeout=BEAT_SECONDS)
        except queue.Empty:
            return b": beat\n\n"

    def close(self) -> None:
        """Called by Django at the end of the response, also if the reader has gone."""
        self._changes.leave(self)


class Changes:
    """The readers of this process, and its connection to the edge."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: set[Reader] = set()
        self._thread: threading.Thread | None = None
        self._event: int | None = None

    def enter(self, tags: Iterable[str]) -> Reader | None:
        """A stream for a reader; None if there are too many, or no edge that tells."""
        if not config().enabled:
            return None
        reader = Reader(self, tags)
        with self._lock:
            if len(self._readers) >= READERS_MAX:
                return None
            self._readers.add(reader)
            if self._thread is None:
                self._thread = threading.Thread(target=self._follow, name="changes", daemon=True)
                self._thread.start()
        return reader

    def leave(self, reader: Reader) -> None:
        with self._lock:
            self._readers.discard(reader)

    def _follow(self) -> None:
        """Reads the events for ever. After a break it reads on where it was, so that no change is missed."""
        pause = AGAIN_FIRST
        while True:
            began = time.monotonic()
            try:
                self._read()
            except (OSError, WebSocketException, ValueError) as error:
                logger.info("no events of the edge: %s", error)
            if time.monotonic() - began > AGAIN_MAX:
                pause = AGAIN_FIRST
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, AGAIN_MAX)

    def _read(self) -> None:
        settings = config()
        scheme, site = settings.site.split("://", 1)
        target = f"{site}/.edgekeep/events" + ("" if self._event is None else f"?after={self._event}")
        proof = signed(settings.secret, "events", int(time.time()), f"GET {target}".encode())
        address = ("wss://" if scheme == "https" else "ws://") + target
        # Pings are texts here, which the edge answers without waking what sends the events.
        with connect(address, additional_headers=proof, ping_interval=None, compression=None) as edge:
            while True:
                try:
                    text = edge.recv(timeout=BEAT_SECONDS)
                except TimeoutError:
                    edge.send("ping")
                    text = edge.recv(timeout=BEAT_SECONDS)
                if text != "pong":
                    self.tell(json.loads(text))

    def tell(self, event: dict) -> None:
        """Tells the readers whom an event concerns."""
        self._event = event["event"]
        order = event.get("order") or event.get("purged")
        if not order:
            return
        names = {*order["hard"], *order["soft"]}
        received, in_force = (parse_datetime(order[name]) for name in ("received_at", "in_force_at"))
        # Until it is in force everywhere, a server elsewhere may still send the old page.
        lag_ms = int((in_force - received).total_seconds() * 1000) if received and in_force else 0
        with self._lock:
            for reader in self._readers:
                if names & reader.names:
                    reader.lags_ms.put(lag_ms)


CHANGES = Changes()
