"""What the cache keeps, for which requests, and how much of it."""

from __future__ import annotations

import pytest
from fakes import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from websites import THURSDAY, ask, create_app, open_app, publish

from digestmail.storage.database import Database
from digestmail.web.cache import ResponseCache, _cost
from digestmail.web.pages import Pages
from digestmail.web.query_params import normalized


@pytest.fixture
def app(sqlite: Database, tmp_path):
    publish(sqlite, 0)
    publish(sqlite, 1)
    with open_app(f"sqlite:///{tmp_path / 'test.db'}") as opened:
        yield opened


@pytest.fixture
def rendered(monkeypatch) -> list[str]:
    """Return the names of the templates that were rendered."""
    names: list[str] = []
    fill_in = Pages.fill_in

    def count(self, request, name, **context):
        names.append(name)
        return fill_in(self, request, name, **context)

    monkeypatch.setattr(Pages, "fill_in", count)
    return names


SAME = {
    "/": [
        "/?x=1",
        "/?utm_source=mail&utm_medium=x",
        "/?page=7",
        "/?",
        "/?=&&&",
        "/?" + "&".join(f"a{n}" for n in range(999)),
    ],
    "/daily": [
        "/daily?x=1",
        "/daily?topic=Agents",
        "/daily?page=1",
        "/daily?page=01",
        "/daily?page=x",
        "/daily?page=-3",
    ],
    "/daily/2026-04-02": ["/daily/2026-04-02?page=2", "/daily/2026-04-02?Topic=x"],
    "/daily/2026-04-02?topic=Agents": [
        "/daily/2026-04-02?x=1&topic=Agents",
        "/daily/2026-04-02?topic=%41gents",
        "/daily/2026-04-02?topic=Vision&topic=Agents",
        "/daily/2026-04-02?topic=+Agents%0A",
    ],
    "/daily/week/2026-W14": ["/daily/week/2026-W14?q=x"],
    "/daily/month/2026-04?topic=Agents": ["/daily/month/2026-04?topic=Agents&x"],
    "/papers/arxiv:2601.00001": ["/papers/arxiv:2601.00001?topic=Agents", "/papers/arxiv:2601.00001?page=2"],
    "/daily/feed.atom": ["/daily/feed.atom?page=2", "/daily/feed.atom?q=x"],
    "/daily/feed.json?topic=Agents": ["/daily/feed.json?topic=Agents&q=x"],
}


@pytest.mark.parametrize("path", SAME)
def test_an_unknown_parameter_or_another_spelling_costs_no_rendering(app, rendered, path):
    web = create_app(app, FakeClock(THURSDAY))
    first = ask(web, path)
    assert (first.status, bool(rendered)) == (200, True)
    rendered.clear()
    for other in SAME[path]:
        assert ask(web, other).body == first.body, other
    assert rendered == []


def test_a_known_parameter_makes_another_page(app):
    web = create_app(app, FakeClock(THURSDAY))
    pages = [
        "/daily/2026-04-02",
        "/daily/2026-04-02?topic=Agents",
        "/daily/2026-04-02?topic=Vision",
        "/daily/2026-04-02?topic=",
    ]
    bodies = [[ask(web, path).body for path in pages] for _ in range(2)]
    assert bodies[0] == bodies[1]
    assert len(set(bodies[0])) == len(pages)
    assert ask(web, "/daily?page=2").body != ask(web, "/daily").body


@pytest.mark.parametrize(
    "path", ["/?topic=%s", "/daily/2026-04-02?topic=%s", "/daily/month/2026-04?topic=%s", "/daily/feed.atom?topic=%s"]
)
def test_a_topic_that_does_not_exist_is_not_found(app, path):
    web = create_app(app)
    assert ask(web, path % "Nonsense").status == 404
    assert ask(web, path % "Agents").status == 200


def test_a_feed_of_a_configured_topic_exists_before_its_first_paper(app):
    web = create_app(app)
    assert ask(web, "/daily/feed.atom?topic=Efficient+models").status == 200
    assert ask(web, "/weekly/feed.atom?topic=Agents").status == 404


def test_memory_is_bounded_with_keys_and_headers(app):
    clock = FakeClock(THURSDAY)

    async def tiny(scope, receive, send):
        scope["state"].update(shared=shared, parameters=("page",))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-long", b"h" * 2000)]})
        await send({"type": "http.response.body", "body": b"."})

    from digestmail.web.cache import Sharing

    shared = Sharing.KEPT
    cache = ResponseCache(tiny, version=lambda: "1", clock=clock, any_host=True, language=str, most_bytes=200_000)
    for number in range(400):
        assert ask(cache, f"/{'k' * 300}{number % 50}?page={number}").status == 200
    assert 0 < cache._bytes <= 200_000
    assert cache._bytes == sum(_cost(*one) for one in cache._entries.items())
    assert 10 < len(cache._entries) < 100
    ask(cache, "/" + "k" * 500)
    assert not any("k" * 500 in key for key in cache._entries)


@given(st.text())
def test_a_parameter_has_one_spelling(text):
    for name in ("page", "topic"):
        once = normalized({name: text}, name)
        assert once is None or normalized({name: once}, name) == once
        assert once is None or len(once) <= 200
