"""A list of feeds in runs: each is read, remembered and parked alone."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from clirun import digestmail
from fakes import THURSDAY, FakeClock
from werkzeug import Request, Response

from digestmail.app import App
from digestmail.config.load import load
from digestmail.model.papers import Health
from digestmail.status.check import check
from digestmail.storage import papers

CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[mail.maildir]
path = "mail"
[network]
allow_private_hosts = ["localhost"]
[[sources]]
name = "blogs"
kind = "feed"
opml = "feeds.opml"
block = {{ words = ["job opening"] }}
[[sources]]
name = "code"
kind = "github"
repositories = ["example/alive", "example/gone"]
base_url = "{url}"
[[digests]]
name = "daily"
title = "Papers"
schedule = "0 7 * * *"
sources = ["blogs", "code"]
"""


def feed(*titles: str) -> Response:
    items = "".join(
        f"<item><title>{title}</title><link>https://blog.example.org/{title.split()[0]}</link><guid>{number}</guid>"
        "<pubDate>Thu, 02 Apr 2026 05:00:00 GMT</pubDate></item>"
        for number, title in enumerate(titles)
    )
    body = f"<rss version='2.0'><channel><title>B</title>{items}</channel></rss>"
    return Response(body, content_type="application/rss+xml", headers={"ETag": f'"{"-".join(titles)}"'})


class Blogs:
    """A server with feeds that may fail, and a list of them."""

    def __init__(self, httpserver, path: Path) -> None:
        self.url = httpserver.url_for("").rstrip("/")
        self.path = path
        self.clock = FakeClock(THURSDAY)
        self.answers: dict[str, Response] = {}
        self.seen: list[Request] = []
        httpserver.expect_request(re.compile(".*")).respond_with_handler(self._answer)
        (path / "config.toml").write_text(CONFIG.format(url=self.url), "utf-8")

    def _answer(self, request: Request) -> Response:
        self.seen.append(request)
        answer = self.answers.get(request.path, Response(status=404))
        known = request.headers.get("If-None-Match")
        return Response(status=304) if known and known == answer.headers.get("ETag") else answer

    def list(self, *addresses: str) -> None:
        rows = "".join(f'<outline text="x" xmlUrl="{address}"/>' for address in addresses)
        (self.path / "feeds.opml").write_text(f'<opml version="2.0"><body>{rows}</body></opml>', "utf-8")

    def run(self):
        self.seen.clear()
        with App(load(self.path / "config.toml", None), self.path, self.clock, wall_clock=self.clock) as app:
            report = app.run()
            with app.database.connect() as connection:
                stored = {paper.title for paper in papers.list_papers(connection, 100)}
        return report, stored


@pytest.fixture
def blogs(httpserver, tmp_path) -> Blogs:
    found = Blogs(httpserver, tmp_path)
    release = (
        "<entry><id>tag:github.com,2008:Repository/1/v1</id><updated>2026-04-02T05:00:00Z</updated><title>v1</title>"
        '<link rel="alternate" href="https://github.com/example/alive/releases/tag/v1"/></entry>'
    )
    atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>R</title>{release}</feed>'
    found.answers["/example/alive/releases.atom"] = Response(atom, content_type="application/atom+xml")
    found.answers["/one"] = feed("Rivers", "Job opening")
    found.answers["/two"] = feed("Lakes")
    found.list(f"{found.url}/one", f"{found.url}/bad", "http://[::1/feed", f"{found.url}/two", "mailto:x@example.org")
    return found


def test_bad_feeds_of_a_list_are_counted_and_stop_no_other(blogs):
    report, stored = blogs.run()
    assert stored == {"Rivers", "Job opening", "Lakes", "alive v1"}
    (edition,) = report.publish.digests
    assert edition.papers == 3
    assert len(report.collect.sources) == 7
    assert len(report.collect.failed) == 4
    assert all(name.startswith(("blogs/", "code/")) for name in report.collect.failed)


def test_each_feed_has_its_own_validators(blogs):
    blogs.run()
    blogs.answers["/two"] = feed("Lakes", "Seas")
    blogs.clock.time += timedelta(hours=1)
    report, stored = blogs.run()
    asked = {request.path: request.headers.get("If-None-Match") for request in blogs.seen}
    assert asked["/one"] == '"Rivers-Job opening"'
    assert asked["/two"] == '"Lakes"'
    assert asked["/bad"] is None
    assert "Seas" in stored
    assert len(report.collect.failed) == 0  # those that failed before are known


def test_a_feed_and_a_repository_that_are_gone_are_parked_alone(blogs):
    for _ in range(5):
        report, _ = blogs.run()
        blogs.clock.time += timedelta(days=1)
    parked = [one.source for one in report.collect.sources if one.health[0].health is Health.PARKED]
    assert len(parked) == 2
    assert parked[1] == "code/example/gone"
    report, _ = blogs.run()
    assert {request.path for request in blogs.seen} == {"/one", "/two", "/example/alive/releases.atom"}


def test_feeds_of_a_list_may_be_silent_for_long(blogs):
    blogs.run()
    blogs.clock.time += timedelta(days=40)
    blogs.run()
    with App(load(blogs.path / "config.toml", None), blogs.path, blogs.clock, wall_clock=blogs.clock) as app:
        said = check(app, connect=False).problems
    assert [one for one in said if one.startswith("source")]
    assert not [one for one in said if "nothing new" in one]


def test_the_list_is_read_again_at_each_run(blogs):
    blogs.run()
    blogs.answers["/three"] = feed("Ponds")
    blogs.list(f"{blogs.url}/three", f"{blogs.url}/one")
    blogs.clock.time += timedelta(hours=1)
    report, stored = blogs.run()
    assert "Ponds" in stored
    assert len(report.collect.sources) == 4
    # The feed that stayed keeps its validators, though its place changed.
    assert {request.path for request in blogs.seen if "If-None-Match" in request.headers} == {"/one"}


def test_the_commands_know_the_list_and_its_members(blogs):
    said = digestmail(blogs.path, "sources", "test", "blogs")
    assert "blogs: 3 entries, 3 papers" in said
    assert said.count("could not be read") == 3
    assert "code/example/gone" in digestmail(blogs.path, "sources", "list")
    assert "alive v1" in digestmail(blogs.path, "sources", "test", "code/example/alive")
    assert "every run reads it" in digestmail(blogs.path, "sources", "retry", "blogs")
    exported = digestmail(blogs.path, "sources", "export")
    assert f'xmlUrl="{blogs.url}/one"' in exported
    assert f'xmlUrl="{blogs.url}/example/alive/releases.atom"' in exported


def test_a_list_of_which_nothing_can_be_read_fails(blogs):
    blogs.answers.clear()
    assert "404" in digestmail(blogs.path, "sources", "test", "code", status=1)
