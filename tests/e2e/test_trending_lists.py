"""A digest of the daily and the trending list of Hugging Face: each paper is an entry once, and can be named again."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from fakes import THURSDAY, FakeClock
from werkzeug import Request, Response

from digestmail.app import App
from digestmail.config.load import load
from digestmail.model.editions import Edition
from digestmail.storage import editions

CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[mail.maildir]
path = "mail"
[network]
allow_private_hosts = ["localhost"]
[[sources]]
name = "daily"
kind = "huggingface"
base_url = "{url}"
[[sources]]
name = "trending"
kind = "huggingface"
list = "trending"
base_url = "{url}"
[[digests]]
name = "daily"
title = "Papers"
schedule = "0 7 * * *"
sources = ["daily", "trending"]
"""
DAY = timedelta(days=1)


def item(number: int, upvotes: int, day: str) -> dict[str, object]:
    paper = {
        "id": f"2604.{number:05d}",
        "title": f"Paper {number}",
        "summary": "S.",
        "authors": [{"name": "Ada Example"}],
        "upvotes": upvotes,
        "publishedAt": "2026-03-30T10:00:00.000Z",
        "submittedOnDailyAt": f"{day}T01:00:00.000Z",
    }
    return {"paper": paper, "numComments": 0}


class Hub:
    """Lists that grow, and the editions that are made of them."""

    def __init__(self, httpserver, path: Path) -> None:
        self.daily: dict[str, list[dict[str, object]]] = {}
        self.trending: list[dict[str, object]] = []
        self.clock = FakeClock(THURSDAY)
        self.path = path
        httpserver.expect_request("/api/daily_papers").respond_with_handler(self._answer)
        (path / "config.toml").write_text(CONFIG.format(url=httpserver.url_for("").rstrip("/")), "utf-8")

    def _answer(self, request: Request) -> Response:
        trending = request.args.get("sort") == "trending"
        return Response(json.dumps(self.trending if trending else self.daily.get(request.args["date"], [])))

    def edition(self) -> Edition | None:
        """Run, go on to the next day, and return the edition of this one."""
        with App(load(self.path / "config.toml", None), self.path, self.clock, wall_clock=self.clock) as app:
            report = app.run()
            with app.database.connect() as connection:
                stored = editions.latest(connection, "daily")
        assert not report.failed
        self.clock.time += DAY
        published = report.publish.digests[0].status == "published"
        return stored.edition if stored is not None and published else None


@pytest.fixture
def hub(httpserver, tmp_path) -> Hub:
    return Hub(httpserver, tmp_path)


def entries(edition: Edition | None) -> set[str]:
    assert edition is not None
    return {entry.paper.title for entry in edition.entries}


def test_a_paper_of_both_lists_is_one_entry_and_is_named_when_it_trends_later(hub):
    hub.daily["2026-04-02"] = [item(1, 10, "2026-04-02")]
    hub.trending = [item(1, 11, "2026-04-02"), item(2, 300, "2025-11-20")]
    first = hub.edition()
    assert entries(first) == {"Paper 1", "Paper 2"}
    assert first is not None
    assert {entry.paper.title: entry.signals.upvotes for entry in first.entries}["Paper 1"] == 11
    # Nothing but what was published is on the lists.
    assert hub.edition() is None
    hub.clock.time += 4 * DAY
    hub.daily["2026-04-08"] = [item(3, 5, "2026-04-08")]
    hub.trending = [item(1, 95, "2026-04-02"), item(2, 310, "2025-11-20"), item(3, 5, "2026-04-08")]
    second = hub.edition()
    assert entries(second) == {"Paper 3"}
    assert second is not None
    assert [(one.paper.title, one.growth) for one in second.trending] == [("Paper 1", 84)]


def test_a_paper_that_was_left_over_is_news_again_when_it_trends(hub):
    hub.daily["2026-04-02"] = [item(1, 10, "2026-04-02")]
    text = (hub.path / "config.toml").read_text("utf-8")
    (hub.path / "config.toml").write_text(text + "min_score = 4.0\n", "utf-8")
    assert hub.edition() is None
    hub.clock.time += 6 * DAY
    hub.trending = [item(1, 250, "2026-04-02")]
    assert entries(hub.edition()) == {"Paper 1"}
