"""Serves the bundled sample of one day on this machine, in the formats of the real services."""

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
"""The date of the sample. For other dates the services return no data."""

SAMPLE_CATEGORIES = ("cs.LG", "cs.CL", "cs.AI")
"""The arXiv categories of the sample's feed, which its announce types are relative to."""

_JSON = "application/json; charset=utf-8"
_XML = "application/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class RouteAnswer:
    """The response of a route."""

    status: int
    content_type: str
    body: bytes


def sample(name: str) -> bytes:
    """Return the bytes of a bundled file: `daily_papers.json`, `arxiv.rss` or `feed.atom`."""
    return files("digestmail").joinpath("sample", name).read_bytes()


@contextmanager
def serving() -> Iterator[str]:
    """Serve the sample on a free loopback port during the context; yield the base URL.

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
    """Respond to a GET of `target` (path and query)."""
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
    # Closing waits for open requests, so that no thread outlives the context.
    daemon_threads = False


class _Handler(BaseHTTPRequestHandler):
    # One request for each connection (HTTP/1.0) with a timeout, so that closing does not wait for idle clients.
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
        """Do not log: the demo prints what it reads."""
