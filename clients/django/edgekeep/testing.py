"""
A receiving end for tests: a real HTTP server on loopback that takes orders as Edgekeep does, and remembers them.

    with Receiver(secret) as edge:
        with override_settings(EDGEKEEP={"SITE": edge.url, "SECRET": secret, "BACKGROUND": False}):
            article.save()
    assert "article-7" in edge.tags
"""

from __future__ import annotations

import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .orders import ORDER_BYTES_MAX, SELECTORS_MAX
from .webhook import signed

#: Seconds that the time of a webhook may be off.
TOLERANCE_SECONDS = 300

LISTS = ("files", "tags", "prefixes", "hosts")
FLAGS = ("purge_everything", "soft", "refresh")

#: Raises whatever it likes if these bytes are not signed by these fields.
Verify = Callable[[bytes, Mapping[str, str]], object]


@dataclass(frozen=True)
class Received:
    """One request to the receiver, whatever it was answered."""

    id: str
    timestamp: int
    status: int
    order: dict[str, Any] = field(default_factory=dict)


class Receiver:
    """
    Listens on a free port of 127.0.0.1 while its ``with`` block runs. ``script`` is what happens to the next requests
    before all is as usual: a status to answer, or None to hang up. ``verify`` replaces the check of signatures.
    """

    def __init__(self, secret: str, verify: Verify | None = None) -> None:
        self.script: list[int | None] = []
        #: Seconds to wait before each answer.
        self.delay = 0.0
        self.requests: list[Received] = []
        self._verify = verify or (lambda body, fields: _verify(secret, body, fields))
        self._bodies: dict[str, tuple[bytes, bytes]] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """For EDGEKEEP["SITE"]."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def orders(self) -> list[dict[str, Any]]:
        """The bodies of the accepted orders, each once."""
        seen: dict[str, dict[str, Any]] = {}
        for each in self.requests:
            if each.status == 200:
                seen.setdefault(each.id, each.order)
        return list(seen.values())

    @property
    def tags(self) -> set[str]:
        """Every tag that was purged."""
        return {tag for order in self.orders for tag in order.get("tags", [])}

    @property
    def files(self) -> set[str]:
        """Every URL that was purged."""
        return {url for order in self.orders for url in order.get("files", [])}

    def clear(self) -> None:
        """Forgets what came so far."""
        self.requests.clear()

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, path: str, fields: Mapping[str, str], body: bytes) -> tuple[int | None, dict[str, Any]]:
        """Answers one order: a status (None: hang up) and a body."""
        time.sleep(self.delay)
        with self._lock:
            status = self.script.pop(0) if self.script else 200
            answer: dict[str, Any] = {"title": "As scripted"}
            if status == 200:
                status, answer = self._judge(path, fields, body)
            order = json.loads(body) if status == 200 else {}
            stamp = fields.get("webhook-timestamp", "")
            number = int(stamp) if stamp.isdigit() else 0
            self.requests.append(Received(fields.get("webhook-id", ""), number, status or 0, order))
            return status, answer

    def _judge(self, path: str, fields: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        if path != "/.edgekeep/purge":
            return 404, {"title": "No such address"}
        if len(body) > ORDER_BYTES_MAX:
            return 413, {"title": "Order too large"}
        try:
            self._verify(body, fields)
        except Exception as error:
            return 401, {"title": "Not accepted", "detail": str(error)}
        wrong = _wrong(body)
        if wrong:
            return 422, {"title": "Order not understood", "errors": [{"detail": wrong}]}
        id = fields["webhook-id"]
        first, receipt = self._bodies.setdefault(id, (body, self._receipt(id)))
        if first != body:
            return 409, {"title": "Webhook id used before"}
        answer: dict[str, Any] = json.loads(receipt)
        return 200, answer

    def _receipt(self, id: str) -> bytes:
        return json.dumps({"id": id, "sequence": len(self._bodies) + 1}).encode()


def _verify(secret: str, body: bytes, fields: Mapping[str, str]) -> None:
    stamp = int(fields["webhook-timestamp"])
    right = signed(secret, fields["webhook-id"], stamp, body)["webhook-signature"]
    if not hmac.compare_digest(right, fields["webhook-signature"]) or abs(time.time() - stamp) > TOLERANCE_SECONDS:
        raise ValueError("the webhook could not be verified")


def _wrong(body: bytes) -> str:
    """What is wrong with the form of an order; nothing is an empty text."""
    order = json.loads(body)
    unknown = order.keys() - {*LISTS, *FLAGS}
    if unknown:
        return f"unknown fields: {', '.join(sorted(unknown))}"
    selectors = [text for name in LISTS for text in order.get(name, [])]
    count = len(selectors) + bool(order.get("purge_everything"))
    if not 1 <= count <= SELECTORS_MAX or not all(isinstance(text, str) for text in selectors):
        return f"{count} selectors"
    if order.get("refresh") and not (order.get("soft") and order.get("files")):
        return "refresh is for soft orders with URLs"
    return ""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that no longer waits is not an error of the test."""


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            fields = {name.lower(): value for name, value in self.headers.items()}
            status, answer = receiver.take(self.path, fields, body)
            if status is None:
                self.close_connection = True
                return
            content = json.dumps(answer).encode()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", f"{receiver.url}/elsewhere")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
