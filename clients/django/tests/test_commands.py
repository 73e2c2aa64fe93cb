"""The management commands, against a real HTTP server."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from edgekeep.testing import Receiver

pytestmark = pytest.mark.usefixtures("configured")

BASE = "https://www.example.com"


def run(command: str, *arguments: str) -> list[dict[str, Any]]:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--tag", "a", "--tag", "b"], {"tags": ["a", "b"]}),
        (["--url", "/x/", "--url", "http://o.example/y"], {"files": [f"{BASE}/x/", "http://o.example/y"]}),
        (["--prefix", "a.example/b", "--host", "b.example"], {"prefixes": ["a.example/b"], "hosts": ["b.example"]}),
        (["--everything"], {"purge_everything": True}),
        (["--tag", "a", "--soft"], {"tags": ["a"], "soft": True}),
    ],
)
def test_purge(edge: Receiver, arguments: list[str], expected: dict[str, Any]) -> None:
    assert run("edgekeep_purge", *arguments, "--dry-run") == [expected]
    assert edge.requests == []
    assert run("edgekeep_purge", *arguments) == [{"id": edge.requests[0].id, "sequence": 1}]
    assert edge.orders == [expected]


def test_purge_does_what_its_options_say_whatever_the_settings(edge: Receiver, configured: Callable[..., None]) -> None:
    configured(SOFT=True, REFRESH=True)
    run("edgekeep_purge", "--url", "/")
    assert edge.orders == [{"files": [f"{BASE}/"]}]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "Say what to purge"), (["--tag", "a b"], "is no tag"), (["--url", "x"], "neither a URL")],
)
def test_purge_refuses_what_it_does_not_understand(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run("edgekeep_purge", *arguments)


def test_purge_fails_if_the_edge_does_not_accept(edge: Receiver, configured: Callable[..., None]) -> None:
    edge.script = [422]
    with pytest.raises(CommandError, match=r"did not accept the purge .*: 422 As scripted"):
        run("edgekeep_purge", "--tag", "a")
    configured(ENABLED=False)
    with pytest.raises(CommandError, match="not enabled"):
        run("edgekeep_purge", "--tag", "a")


def sitemap(*urls: str) -> bytes:
    entries = "".join(f"<url><loc> {url} </loc><priority>1</priority></url>" for url in urls)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{entries}</urlset>'.encode()


@pytest.fixture
def site() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A site with these bodies, by path."""
    bodies: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = bodies.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    server.server_close()
    thread.join()


def refreshed(*urls: str) -> list[dict[str, Any]]:
    return [{"files": list(urls), "soft": True, "refresh": True}]


def test_warm_takes_urls(edge: Receiver) -> None:
    run("edgekeep_warm", "--url", "/", "--url", "/x/")
    assert edge.orders == refreshed(f"{BASE}/", f"{BASE}/x/")


def test_warm_takes_the_sites_sitemap(site: tuple[str, dict[str, bytes]], configured: Callable[..., None]) -> None:
    address, bodies = site
    bodies["/sitemap.xml"] = sitemap("https://a.example/1", "https://a.example/2?a=1&amp;b=2", "https://a.example/1")
    configured(SITE=address)
    expected = refreshed("https://a.example/1", "https://a.example/2?a=1&b=2")
    assert run("edgekeep_warm", "--dry-run") == expected
    assert run("edgekeep_warm", "--dry-run", "--limit", "1") == refreshed("https://a.example/1")


def test_warm_takes_an_index_and_packed_sitemaps(site: tuple[str, dict[str, bytes]], edge: Receiver) -> None:
    address, bodies = site
    parts = [f"{address}/1.xml.gz", f"{address}/2.xml"]
    index = "".join(f"<sitemap><loc>{part}</loc></sitemap>" for part in parts)
    bodies["/index.xml"] = (
        f'<sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{index}</sitemapindex>'.encode()
    )
    bodies["/1.xml.gz"] = gzip.compress(sitemap("https://a.example/1"))
    bodies["/2.xml"] = sitemap("https://a.example/2")
    run("edgekeep_warm", "--sitemap", f"{address}/index.xml", "--url", "/extra/")
    assert edge.orders == refreshed(f"{BASE}/extra/", "https://a.example/1", "https://a.example/2")


def test_warm_splits_large_sitemaps(site: tuple[str, dict[str, bytes]], edge: Receiver) -> None:
    address, bodies = site
    bodies["/s.xml"] = sitemap(*(f"https://a.example/{number}" for number in range(2500)))
    run("edgekeep_warm", "--sitemap", f"{address}/s.xml")
    assert [len(order["files"]) for order in edge.orders] == [1000, 1000, 500]


@pytest.mark.parametrize("body", [None, b"", b"<urlset", b"\x1f\x8bnot packed"])
def test_warm_says_what_is_no_sitemap(site: tuple[str, dict[str, bytes]], body: bytes | None, edge: Receiver) -> None:
    address, bodies = site
    if body is not None:
        bodies["/s.xml"] = body
    with pytest.raises(CommandError, match=r"s\.xml is not a sitemap that can be read"):
        run("edgekeep_warm", "--sitemap", f"{address}/s.xml")
    with pytest.raises(CommandError, match="no http address"):
        run("edgekeep_warm", "--sitemap", "file:///etc/hostname")
    bodies["/empty.xml"] = sitemap()
    with pytest.raises(CommandError, match="no URL to warm"):
        run("edgekeep_warm", "--sitemap", f"{address}/empty.xml")
    assert edge.requests == []
