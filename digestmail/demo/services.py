"""The bundled sample of one day, served on this machine in the shapes of the real services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit

SAMPLE_DAY = date(2026, 4, 2)
"""The day the sample is of; on every other day the services have nothing to say."""

SAMPLE_CATEGORIES = ("cs.LG", "cs.CL", "cs.AI")
"""The categories the arXiv feed of the sample was asked for: its announce types are relative to them."""

_JSON = "application/json; charset=utf-8"
_XML = "application/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """What a route answers with."""

    status: int
    content_type: str
    body: bytes


def sample(name: str) -> bytes:
    """Return the bytes of a bundled file: `daily_papers.json`, `arxiv.rss` or `feed.atom`."""
    return files("digestmail").joinpath("sample", name).read_bytes()


@contextmanager
def serving() -> Iterator[str]:
    """Serve the sample on a free loopback port as long as the context lasts; yield the base URL.

    Routes: `/api/daily_papers?date=&limit=&p=`, `/rss/CATEGORIES`, `/feed.atom`, each with an ETag.
    """
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="services")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def answer(target: str) -> RouteAnswer:
    """Answer a GET of `target` (path and query)."""
    url = urlsplit(target)
    if url.path == "/api/daily_papers":
        return _daily_papers({name: values[-1] for name, values in parse_qs(url.query).items()})
    if url.path == "/feed.atom":
        return RouteAnswer(200, "application/atom+xml; charset=utf-8", sample("feed.atom"))
    if url.path.startswith("/rss/"):
        return _arxiv_feed(unquote(url.path.removeprefix("/rss/")))
    return RouteAnswer(404, _JSON, b'{"error":"Not found"}')


def _daily_papers(query: dict[str, str]) -> RouteAnswer:
    try:
        day = date.fromisoformat(query.get("date", SAMPLE_DAY.isoformat()))
        limit, page = int(query.get("limit", "50")), int(query.get("p", "0"))
    except ValueError:
        return RouteAnswer(400, _JSON, b'{"error":"Invalid query"}')
    items = json.loads(sample("daily_papers.json")) if day == SAMPLE_DAY else []
    return RouteAnswer(200, _JSON, json.dumps(items[page * limit :][:limit], ensure_ascii=False).encode())


def _arxiv_feed(categories: str) -> RouteAnswer:
    if set(categories.split("+")) != set(SAMPLE_CATEGORIES):
        return RouteAnswer(404, _XML, f"the sample has the feed of {'+'.join(SAMPLE_CATEGORIES)} only".encode())
    return RouteAnswer(200, _XML, sample("arxiv.rss"))


class _Server(ThreadingHTTPServer):
    # Closing waits for the requests in hand, so that nothing outlives the context.
    daemon_threads = False


class _Handler(BaseHTTPRequestHandler):
    # One request a connection (HTTP/1.0), and no longer than this for it, or closing would wait for idle clients.
    timeout = 5

    def do_GET(self) -> None:
        reply = answer(self.path)
        tag = f'"{sha256(reply.body).hexdigest()[:32]}"'
        if reply.status == HTTPStatus.OK and self.headers.get("If-None-Match") == tag:
            reply = RouteAnswer(304, reply.content_type, b"")
        self.send_response(reply.status)
        self.send_header("ETag", tag)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_args: object) -> None:
        """Stay silent: the demo says what it reads."""
