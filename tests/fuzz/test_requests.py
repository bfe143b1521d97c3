"""For any request, the pages, forms, API and webhooks answer below 500, within a size, and well-formed."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import unquote
from xml.parsers import expat

import h11
from fakes import FakeClock
from fuzzing import Target, attack
from websites import THURSDAY, TOKEN, create_app, open_app, publish

from digestmail.model.subscribers import Preferences, Subscription
from digestmail.storage import confirmations, subscribers
from digestmail.storage.confirmations import Confirmation
from digestmail.subscribers.rate_limit import Rate, RateLimiter, Rates
from digestmail.web.subscriber_pages import purpose

LARGEST = 2_000_000
TIMES = 10**9
UNLIMITED = Rates(
    **dict.fromkeys(("network", "address", "domain", "total", "searches", "all_searches"), Rate(TIMES, 1))
)
SECRET = "a-made-up-webhook-secret"
FORM = b"Content-Type: application/x-www-form-urlencoded\n"
ADMIN = f"Authorization: Bearer {TOKEN}\nContent-Type: application/json\n".encode()
HOOK = f"Authorization: Bearer {SECRET}\nContent-Type: application/json\n".encode()
HOST = b" HTTP/1.1\nHost: papers.example.org\n"
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="address"\r\n\r\nx@example.org\r\n--b\r\n'
    b'Content-Disposition: form-data; name="token"\r\n\r\n@form@\r\n--b--\r\n'
)
# @words@ stand for valid tokens.
REQUESTS = [
    *(
        b"GET " + path + HOST + b'Accept-Language: de-AT, he;q=0.5\nIf-None-Match: W/"x"\nX-Forwarded-For: 192.0.2.1\n\n'
        for path in (
            b"/", b"/daily?topic=Agents&page=2", b"/daily/2026-04-02", b"/daily/week/2026-W14", b"/daily/month/2026-04",
            b"/daily/feed.atom", b"/daily/feed.json?topic=Agents", b"/search?q=%22layers%22+-cache&topic=Agents&from=2026-01-01&to=2026-12-31",
            b"/search.atom?q=agents", b"/search.json?q=agents", b"/search.bib?q=agents", b"/bibtex/arxiv:2601.00001", b"/ris/2601.00001",
            b"/csl-json/arxiv:2601.00001", b"/daily/2026-04-02/papers.ris", b"/papers/arxiv:2601.00001", b"/papers/https://arxiv.org/abs/2604.1",
            b"/papers?topic=A&source=b&to=2026-04-02&below=9", b"/daily/2026-04-02/papers?topic=&after=3", b"/for-you/x.y/feed.atom", b"/sitemap.xml", b"/sitemap-editions.xml", b"/sitemap-papers-1.xml", b"/robots.txt", b"/static/..%2f..%2fapp.py", b"/healthz",
            b"/readyz", b"/api/v1/digests", b"/api/v1/editions?digest=daily", b"/api/v1/editions/daily/2026-04-02",
            b"/api/v1/papers?limit=2&below=99", b"/api/v1/papers/arxiv:2601.00001", b"/api/v1/search?q=agents&page=1",
            b"/api/v1/openapi.json", b"/subscribe", b"/preferences/@link@", b"/preferences/@link@/data", b"/preferences/@link@/data.json",
            b"/unsubscribe/@link@", b"/confirm/@confirm@", b"/undo/@undo@", b"/address/@address@", b"/erase/@erase@",
        )
    ),
    b"POST /subscribe" + HOST + FORM + b"Sec-Fetch-Site: same-origin\n\naddress=y%40example.org&digest=daily&topics.daily=Agents&hour=7"
    b"&timezone=Europe%2FBerlin&language=de&website=&token=@form@",
    b"POST /subscribe" + HOST + b"Content-Type: multipart/form-data; boundary=b\n\n" + MULTIPART,
    b"POST /preferences/@link@" + HOST + FORM + b"\ndigest=daily&topics.daily=Agents&hour=9&language=en&timezone=UTC&token=@own@",
    b"POST /preferences/@link@/pause" + HOST + FORM + b"\nweeks=2&until=2026-05-01&token=@own@",
    b"POST /preferences/@link@/address" + HOST + FORM + b"\naddress=new%40example.org&token=@own@",
    b"POST /preferences/@link@/erase" + HOST + FORM + b"\ntoken=@own@",
    b"POST /unsubscribe/@link@" + HOST + FORM + b"\nList-Unsubscribe=One-Click",
    b"POST /confirm/@confirm@" + HOST + FORM + b"\ntoken=@form@",
    b"POST /undo/@undo@" + HOST + FORM + b"\ntoken=@form@",
    b"GET /api/v1/statistics" + HOST + ADMIN + b"\n",
    b"GET /api/v1/subscribers?after=0&limit=5&state=active" + HOST + ADMIN + b"\n",
    b"POST /api/v1/subscribers" + HOST + ADMIN + b'Idempotency-Key: "k1"\n\n'
    b'{"address": "z@example.org", "digest": "daily", "topics": ["Agents"]}',
    b"DELETE /api/v1/subscribers/z@example.org" + HOST + ADMIN + b"\n",
    b"GET /api/v1/suppressions" + HOST + ADMIN + b"\n",
    b"POST /api/v1/suppressions" + HOST + ADMIN + b'\n{"address": "s@example.org", "detail": "asked by phone"}',
    b"POST /api/v1/events/generic" + HOST + HOOK + b'\n[{"id": "1", "kind": "bounce", "recipient": "reader@example.org", "permanent": true}]',
    b"POST /api/v1/events/ses" + HOST + b"Authorization: Basic eDph\n\n{}",
    b"PUT /daily" + HOST + b"\n",
    b"HEAD /daily" + HOST + b"\n",
    b"OPTIONS *" + HOST + b"\n",
]  # fmt: skip


def parse(data: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Return the ASGI scope and the body of a request, as uvicorn does; None if h11 refuses its head."""
    head, _, body = data.partition(b"\n\n")
    lines = [
        line for line in head.split(b"\n") if not line.lower().startswith((b"content-length", b"transfer-encoding"))
    ]
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(b"\r\n".join(lines) + b"\r\n\r\n")
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(event, h11.Request):
        return None
    path, _, query = event.target.partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": event.method.decode(),
        "scheme": "http",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [*((name.lower(), value) for name, value in event.headers), (b"content-length", b"%d" % len(body))],
        "client": ("127.0.0.1", 1234),
        "server": ("127.0.0.1", 80),
    }
    return scope, body


async def answered(web, scope: dict[str, Any], body: bytes) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return waiting.pop() if waiting else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await web(scope, receive, send)
    return messages


def check_answer(messages: list[dict[str, Any]]) -> None:
    start, *rest = messages
    body = b"".join(message.get("body", b"") for message in rest)
    headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in start["headers"]}
    assert start["status"] < 500
    assert not any(re.search(r"[\r\n\0]", value) for value in headers.values())
    assert len(body) <= LARGEST
    kind = headers.get("content-type", "")
    if not body:
        return
    if kind.startswith("text/html"):
        assert b"<script" not in body.lower(), "the pages have no scripts (decision 64)"
        body.decode()
    elif "json" in kind:
        json.loads(body)
    elif "xml" in kind:
        expat.ParserCreate().Parse(body, True)
    elif kind.startswith("text/plain"):
        body.decode()


@contextmanager
def site(database, database_url):
    """Yield the web app, and valid values for the words in the requests."""
    publish(database, 0)
    now = THURSDAY + timedelta(hours=2)
    with database.begin() as connection:
        person = subscribers.add(connection, "reader@example.org", now)
        subscribers.subscribe(connection, person, Subscription(digest="daily", topics=("Agents",)), now)
        newcomer = subscribers.add_pending(connection, "newcomer@example.org", now)
        choices = Preferences(subscriptions=(Subscription(digest="daily"),))
        confirmations.put(
            connection, Confirmation(subscriber_id=newcomer, nonce="0" * 32, choices=choices, asked_at=now)
        )
    with open_app(database_url, webhook_secret=SECRET, trusted_proxies=["127.0.0.1"]) as app:
        app.wall_clock = app.clock = FakeClock(now)
        web = create_app(app, app.clock)
        web.state.web_state.rate_limiter = RateLimiter(UNLIMITED)
        web.state.web_state.notice_queue.flush = lambda: None  # there is no mail server
        signer, link = app.link_tokens(), app.tokens.unsubscribe(person, "daily")
        before = now - timedelta(seconds=9)
        words = {
            b"@link@": link,
            b"@form@": signer.form("subscribe", before),
            b"@own@": signer.form(purpose(link), before),
            b"@confirm@": signer.confirm(newcomer, "0" * 32, before),
            b"@address@": signer.address(person, "0" * 32, before),
            b"@erase@": signer.erase(person, before),
            b"@undo@": signer.undo(1, before),
        }
        yield web, {word: value.encode() for word, value in words.items()}


def test_any_request_is_answered(sqlite, tmp_path):
    with site(sqlite, f"sqlite:///{tmp_path / 'test.db'}") as (web, words):

        def check(data: bytes) -> None:
            for word, value in words.items():
                data = data.replace(word, value)
            request = parse(data)
            if request is not None:
                check_answer(asyncio.run(answered(web, *request)))

        attack(Target(name="request", check=check, seeds=REQUESTS))
