"""Requests that are too large, too deep, too long or too clever."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from websites import TOKEN, ask, create_app, open_app, publish

from digestmail.storage.database import Database
from digestmail.web.notice_queue import NoticeQueue

LONG = "9" * 5000
FORM = {"content-type": "application/x-www-form-urlencoded"}
ADMIN = {"authorization": f"Bearer {TOKEN}"}


def one_day(database: Database) -> None:
    publish(database, 0)


@pytest.fixture
def web(filled_url):
    with open_app(filled_url(one_day)) as app:
        app.wall_clock = app.clock
        yield create_app(app)


def token(web) -> str:
    app = web.state.digestmail
    return app.link_tokens().form("subscribe", app.wall_clock.now() - timedelta(seconds=9))


@pytest.mark.parametrize("number", [LONG, "99999999999999999999", "4294967296", "-1", "²", "1e9", "0x10", "\u0661"])
def test_a_number_of_any_length_is_refused_or_ignored(web, number, caplog):
    for path in (
        f"/sitemap-papers-{number}.xml",
        f"/daily/{number}",
        f"/daily/week/{number}",
        f"/daily/month/{number}-01",
        f"/papers/{number}",
        f"/unsubscribe/{number}.{number[:27]}",
        f"/confirm/{number}",
        f"/api/v1/editions/daily/{number[:40]}",
    ):
        assert ask(web, path).status in {400, 404, 410}, path
    for path in (
        f"/daily?page={number}",
        f"/search?q=x&page={number}&from={number}&to={number}-01-01",
        f"/search.atom?q={number}",
        f"/api/v1/papers?below={number}",
        f"/api/v1/papers?limit={number}",
        f"/api/v1/editions?offset={number}",
        f"/api/v1/search?q=x&offset={number}&from={number}",
        f"/api/v1/papers/{number}",
    ):
        assert ask(web, path).status in {200, 400, 404, 422}, path
    for name in ("hour", "digest", "topics.daily", "timezone", "language"):
        fields = {"address": "a@example.org", "digest": "daily", "token": token(web)} | {name: number}
        answer = ask(web, "/subscribe", method="POST", raw=urlencode(fields).encode(), headers=FORM)
        assert answer.status in {400, 422}, name
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_the_largest_numbers_that_are_accepted_work_on_both_databases(web):
    for path in (
        "/sitemap-papers-999999.xml",
        "/sitemap-papers-107373.xml",
        "/sitemap-papers-107374.xml",
        "/daily?page=99999999",
        "/search?q=x&page=99999999&from=0001-01-01&to=9999-12-31",
        "/api/v1/papers?below=2147483647",
        "/api/v1/editions?offset=1000000",
        "/api/v1/search?q=x&offset=2000&from=0001-01-01&to=9999-12-31",
    ):
        assert ask(web, path).status in {200, 404}, path


@pytest.mark.parametrize("path", ["/subscribe", "/api/v1/subscribers", "/api/v1/events/mailgun", "/preferences/x"])
def test_a_large_body_is_refused_before_it_is_complete(web, path):
    taken = 0

    async def receive():
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    assert status_of(web, path, receive) in {401, 413}
    assert taken <= 11


def test_one_click_unsubscribing_ignores_the_size_of_the_body(web, monkeypatch):
    # The goodbye stays in the queue: there is no mail server here.
    monkeypatch.setattr(NoticeQueue, "flush", lambda _self: None)

    async def receive():
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    with web.state.digestmail.database.begin() as connection:
        from digestmail.storage import subscribers
        from digestmail.subscribers import admin

        digests, now = web.state.digestmail.digests, web.state.digestmail.clock.now()
        person = admin.add_within(connection, digests, "reader@example.org", "daily", (), now)
    assert status_of(web, f"/unsubscribe/{web.state.digestmail.tokens.unsubscribe(person.id, 'daily')}", receive) == 200
    with web.state.digestmail.database.connect() as connection:
        assert subscribers.get(connection, person.id).subscriptions == ()


def status_of(web, path, receive) -> int:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    started = []

    async def send(message):
        if message["type"] == "http.response.start":
            started.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"x"), (b"content-type", b"application/json" if "api" in path else FORM_TYPE)],
        "client": ("203.0.113.9", 1),
        "server": ("127.0.0.1", 80),
    }
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(web(scope, receive, send))).result()
    return started[0]


FORM_TYPE = FORM["content-type"].encode()


@pytest.mark.parametrize(
    "body", [b"[" * 300_000, b'{"a":' * 150_000, b'{"address": ' + LONG.encode() * 10 + b"}", b"\xff\xfe", b"\0" * 999]
)
@pytest.mark.parametrize("path", ["/api/v1/subscribers", "/api/v1/suppressions"])
def test_a_body_that_is_deep_or_not_json_is_refused(web, path, body, caplog):
    assert ask(web, path, method="POST", raw=body, headers=ADMIN).status in {400, 422}
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"&".join(b"a%d=1" % number for number in range(5000)),
        b"topics.daily=x&" * 290,
        b"digest=daily&" * 290,
        b"%" * 60_000,
        b"address=" + b"a" * 60_000 + b"@example.org",
    ],
    ids=["fields", "topics", "digests", "percent", "address"],
)
def test_a_form_of_any_shape_is_refused(web, body, caplog):
    raw = body + b"&token=" + token(web).encode()
    answer = ask(web, "/subscribe", method="POST", raw=raw, headers=FORM)
    assert answer.status in {400, 422}
    assert len(answer.body) < 100_000
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
