"""`[enrichment]` over several weeks: who is asked, how often, what pages show, and what no failure of it stops."""

from __future__ import annotations

import html
import json
from functools import partial

import pytest
from fakes import THURSDAY, FakeClock, sighting
from indexes import OpenAlexServer, SemanticScholarServer, place, s2_paper, work
from websites import ask
from werkzeug import Response

from digestmail.app import App
from digestmail.cli.printing import lines
from digestmail.config.load import load
from digestmail.model.papers import PaperId
from digestmail.model.reports import EnrichmentReport
from digestmail.storage import papers
from digestmail.web.app import create_app
from digestmail.wiring.enrichment import IndexAddresses

CONFIG = """
base_url = "https://papers.example.org"
database = "{database}"
[mail]
sender = "digest@example.org"
transport = "maildir"
[mail.maildir]
path = "mail"
[network]
allow_private_hosts = ["localhost", "127.0.0.1"]
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
[enrichment]
indexes = ["semantic-scholar", "openalex"]
semantic_scholar_key = "made-up-key"
openalex_key = "made-up-key"
"""
ONE = "ARXIV:2604.00001"


@pytest.fixture
def scholar(httpserver):
    return SemanticScholarServer(httpserver)


@pytest.fixture
def alex(httpserver):
    return OpenAlexServer(httpserver)


@pytest.fixture
def start(httpserver, tmp_path, database_url, monkeypatch, scholar, alex):
    empty = "<?xml version='1.0'?><rss version='2.0'><channel><title>F</title></channel></rss>"
    httpserver.expect_request("/feed").respond_with_data(empty, content_type="application/rss+xml")
    at = httpserver.url_for("")
    monkeypatch.setattr(
        "digestmail.wiring.enrichment.IndexAddresses",
        partial(IndexAddresses, semantic_scholar=at, openalex=at.replace("localhost", "127.0.0.1")),
    )
    clock = FakeClock(THURSDAY)

    def start(table: str = TABLE, count: int = 3) -> App:
        text = CONFIG.format(feed=httpserver.url_for("/feed"), database=database_url) + table
        (tmp_path / "config.toml").write_text(text, "utf-8")
        app = App(load(tmp_path / "config.toml", None), tmp_path, clock, wall_clock=clock)
        with app.database.begin() as connection:
            papers.add_sightings(connection, [sighting(number) for number in range(1, count + 1)], THURSDAY)
        return app

    return start


def page_of(app: App, number: int = 1) -> str:
    answered = ask(create_app(app), f"/papers/arxiv:2604.{number:05d}")
    assert answered.status == 200
    return " ".join(html.unescape(answered.text).split())


def test_papers_are_asked_about_once_a_week_and_pages_show_what_is_known_and_by_whom(start, scholar, alex):
    scholar.known = {ONE: s2_paper("2604.00001", citations=12)}
    alex.works = [work("10.48550/arxiv.2604.00001", 1, place("<b>Journal of Rivers</b>"))]
    with start() as app:
        report = app.collect()
        assert report.enrichment == (
            EnrichmentReport(index="Semantic Scholar", known=1, asked=3),
            EnrichmentReport(index="OpenAlex", known=1, asked=3),
        )
        assert "collect  Semantic Scholar: 1 of 3 papers known" in list(lines(report))
        page = page_of(app)
        assert f'Cited 12 times (<a href="https://www.semanticscholar.org/paper/{"0a" * 20}"' in page
        assert "Cited 1 time · <b>Journal of Rivers</b> (" in page
        assert "2 Apr 2026" in page
        assert "<b>Journal" not in ask(create_app(app), "/papers/arxiv:2604.00001").text
        assert "Cited" not in page_of(app, 2)
        first, second = ask(create_app(app), "/api/v1/papers/arxiv:2604.00001").json["records"]
        assert (first["index"], first["citations"], first["venue"]) == ("semantic-scholar", 12, None)
        assert second["url"] == "https://openalex.org/W123"
        app.clock.sleep(6 * 24 * 3600)
        assert app.collect().enrichment == ()
        app.clock.sleep(2 * 24 * 3600)
        scholar.known[ONE] = s2_paper("2604.00001", citations=13)
        assert len(app.collect().enrichment) == 2
        assert "Cited 13 times" in page_of(app)
        app.clock.sleep(90 * 24 * 3600)
        assert app.collect().enrichment == ()
    assert len(scholar.requests) == len(alex.requests) == 2


def test_without_the_table_and_in_a_dry_run_no_index_is_asked(start, scholar, alex):
    with start("") as app:
        assert app.collect().enrichment == ()
    with start() as app:
        app.collect(dry_run=True)
        app.run(dry_run=True)
    assert scholar.requests == alex.requests == []


@pytest.mark.parametrize("status", [400, 500])
def test_one_record_that_an_index_fails_on_stops_no_other(start, scholar, alex, status):
    scholar.known = {f"ARXIV:2604.{number:05d}": s2_paper(f"2604.{number:05d}") for number in range(1, 21)}
    scholar.broken = {"ARXIV:2604.00007": status}
    with start(count=20) as app:
        (report, _) = app.collect().enrichment
        assert report == EnrichmentReport(index="Semantic Scholar", known=19, asked=20)
        assert "Cited" not in page_of(app, 7)
        assert all("Cited 7 times" in page_of(app, number) for number in (6, 8, 20))
        requests = len(scholar.requests)
        assert requests <= 11
        assert app.collect().enrichment == ()
    assert len(scholar.requests) == requests


def test_an_index_that_knows_nothing_is_asked_three_times_and_is_no_failure(start, scholar, alex):
    with start(count=20) as app:
        assert app.collect().enrichment[0] == EnrichmentReport(index="Semantic Scholar", known=0, asked=20)
    assert len(scholar.requests) == 3


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_failing_index_stops_neither_the_other_nor_the_run(start, scholar, alex, status, caplog):
    scholar.fault = Response(json.dumps({"message": "made-up-key"}), status=status)
    alex.works = [work("10.48550/arxiv.2604.00001")]
    with start() as app:
        report = app.run()
        assert not report.failed
        first, second = report.collect.enrichment
        assert f"answered {status}" in first.problem
        assert "the next run continues" in "\n".join(lines(report))
        assert second == EnrichmentReport(index="OpenAlex", known=1, asked=3)
        logged = " ".join(one.getMessage() for one in caplog.records if one.name.startswith("digestmail"))
        assert "was not asked about all papers" in logged
        assert "made-up-key" not in logged + str(report)
        assert len(scholar.requests) == (3 if status == 500 else 1)
        scholar.fault, scholar.known = None, {ONE: s2_paper("2604.00001")}
        app.clock.sleep(301)
        (again,) = app.collect().enrichment
        assert again == EnrichmentReport(index="Semantic Scholar", known=1, asked=3)


def test_the_requests_of_a_day_are_limited(start, scholar, alex, monkeypatch):
    monkeypatch.setattr("digestmail.sources.openalex.OpenAlex.batch_size", 1)
    alex.works = [work(f"10.48550/arxiv.2604.0000{number}") for number in (1, 2, 3)]
    with start(TABLE.replace('"semantic-scholar", ', "") + "per_day = 2\n") as app:
        (report,) = app.collect().enrichment
        assert report == EnrichmentReport(
            index="OpenAlex", known=2, asked=2, problem="the requests of the day are spent"
        )
        app.clock.sleep(24 * 3600)
        assert app.collect().enrichment == (EnrichmentReport(index="OpenAlex", known=1, asked=1),)


def test_a_slow_index_takes_half_a_minute_at_most_and_the_next_run_continues(start, scholar, alex, monkeypatch):
    monkeypatch.setattr("digestmail.sources.semantic_scholar.SemanticScholar.batch_size", 1)
    with start(TABLE.replace(', "openalex"', ""), count=6) as app:
        monkeypatch.setattr(
            "digestmail.sources.semantic_scholar.SemanticScholar.look_up",
            lambda *_: app.clock.sleep(14) or {},
        )
        assert app.collect().enrichment[0].asked == 3
        assert app.collect().enrichment[0].asked == 3
        assert app.collect().enrichment == ()


def test_ids_of_both_kinds_are_used(start, scholar, alex):
    with start() as app:
        with app.database.begin() as connection:
            papers.add_sightings(connection, [sighting(1, aliases=(PaperId("doi:10.5555/rivers"),))], THURSDAY)
        app.collect()
    assert set(alex.asked[0]) >= {"10.5555/rivers", "10.48550/arxiv.2604.00001"}
