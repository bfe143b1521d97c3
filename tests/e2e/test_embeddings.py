"""`collect` with `[embeddings]`: papers are embedded after they are stored, and no failure of it stops anything."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import THURSDAY, FakeClock
from werkzeug import Request, Response

from digestmail.app import App
from digestmail.cli.printing import lines
from digestmail.config.load import load
from digestmail.model.reports import EmbeddingReport
from digestmail.storage import paper_embeddings
from digestmail.subscribers import admin

CONFIG = """
{top}
[mail]
sender = "digest@example.org"
transport = "maildir"
[mail.maildir]
path = "mail"
[network]
allow_private_hosts = ["localhost"]
[[sources]]
name = "feed"
kind = "feed"
url = "{feed}"
[[digests]]
name = "daily"
title = "Papers"
schedule = "0 7 * * *"
sources = ["feed"]
"""
TABLE = """
[embeddings]
url = "{url}"
model = "small"
api_key = "made-up-key"
"""
READER = "reader@example.net"


def feed(*titles: str) -> str:
    items = "".join(
        f"<item><title>{title}</title><link>https://a.example.org/{title}</link><description>About {title}."
        f"</description><pubDate>Thu, 02 Apr 2026 05:00:00 GMT</pubDate></item>"
        for title in titles
    )
    return f"<?xml version='1.0'?><rss version='2.0'><channel><title>F</title>{items}</channel></rss>"


@pytest.fixture
def start(httpserver, tmp_path: Path):
    httpserver.expect_request("/feed").respond_with_data(feed("Rivers", "Lakes"), content_type="application/rss+xml")

    def start(table: str = TABLE) -> App:
        text = CONFIG.format(top="", feed=httpserver.url_for("/feed")) + table.format(url=httpserver.url_for("/v1"))
        (tmp_path / "config.toml").write_text(text, "utf-8")
        clock = FakeClock(THURSDAY)
        return App(load(tmp_path / "config.toml", None), tmp_path, clock, wall_clock=clock)

    return start


def embeds(httpserver, status: int = 200, **headers: str) -> list[Request]:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        texts = request.get_json()["input"]
        data = [{"index": place, "embedding": [1.0, len(text)]} for place, text in enumerate(texts)]
        return Response(json.dumps({"data": data}), status=status, headers=headers)

    httpserver.expect_request("/v1/embeddings", method="POST").respond_with_handler(answer)
    return seen


def test_without_the_table_no_endpoint_is_opened(httpserver, start, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("an endpoint was opened")

    monkeypatch.setattr("digestmail.wiring.learning.open_endpoint", refuse)
    with start("") as app:
        assert app.config.embeddings is None
        assert app.collect().embedding is None
    assert [request.path for request, _ in httpserver.log] == ["/feed"]


def test_new_papers_are_embedded_once_and_nothing_about_subscribers_is_sent(httpserver, start):
    seen = embeds(httpserver)
    with start() as app:
        admin.add(app.database, app.digests, READER, "daily", (), THURSDAY - timedelta(days=1))
        report = app.run()
        assert report.collect.embedding == EmbeddingReport(papers=2)
        assert "collect  2 papers embedded" in list(lines(report))
        assert app.collect().embedding is None
        with app.database.connect() as connection:
            assert paper_embeddings.count(connection, "small", 9) == 2
    (request,) = seen
    assert request.get_json().keys() == {"model", "input"}
    assert sorted(request.get_json()["input"]) == ["Lakes. About Lakes.", "Rivers. About Rivers."]
    assert READER.encode() not in request.get_data() + str(request.headers).encode()


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_a_failing_endpoint_is_reported_and_the_run_goes_on(httpserver, start, status, caplog):
    embeds(httpserver, status)
    with start() as app:
        admin.add(app.database, app.digests, READER, "daily", (), THURSDAY - timedelta(days=1))
        report = app.run()
    assert report.collect.embedding is not None
    assert f"answered {status}" in report.collect.embedding.problem
    assert not report.failed
    assert report.publish.digests[0].papers == 2
    assert report.deliver.sent == 1
    assert "papers were not embedded" in caplog.text
    assert "the next run continues" in "\n".join(lines(report))
    assert "made-up-key" not in caplog.text + str(report)


def test_a_slow_endpoint_delays_a_run_by_five_minutes_at_most_and_the_next_continues(httpserver, start):
    with start(TABLE + "batch_size = 1\ntimeout = 3600.0\n") as app:

        def answer(request: Request) -> Response:
            app.clock.sleep(300)
            return Response(json.dumps({"data": [{"embedding": [1.0] * len(request.get_json()["input"])}]}))

        httpserver.expect_request("/v1/embeddings", method="POST").respond_with_handler(answer)
        assert app.collect().embedding == EmbeddingReport(papers=1)
        assert app.collect().embedding == EmbeddingReport(papers=1)
        assert app.collect().embedding is None


def test_a_dry_run_sends_nothing_to_the_endpoint(httpserver, start):
    seen = embeds(httpserver)
    with start() as app:
        assert app.run(dry_run=True).collect.embedding is None
        assert app.collect(dry_run=True).embedding is None
    assert seen == []
