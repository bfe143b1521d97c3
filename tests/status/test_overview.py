"""`digestmail status`: one screen that says how the installation is doing, and what needs the operator."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from clirun import digestmail
from fakes import THURSDAY, FakeClock, FakeTransport
from werkzeug import Response

from digestmail.app import App
from digestmail.config.load import load
from digestmail.model.history import RunOutcome, RunRecord, SourceDay
from digestmail.status.figures import in_bytes, kind_of, share
from digestmail.status.overview import DAYS, growth_of, status
from digestmail.subscribers import admin

CONFIG = """
database = "sqlite:///digestmail.db"
[mail]
sender = "digest@example.org"
[network]
allow_private_hosts = ["localhost", "127.0.0.1"]
[[sources]]
name = "feed"
kind = "feed"
url = "{server}/feed"
[[digests]]
name = "daily"
title = "Trending papers"
schedule = "0 7 * * *"
sources = ["feed"]
"""
FEED = """<rss version="2.0"><channel><title>A lab</title><link>https://example.org</link><description>x</description>
<item><title>On lakes</title><link>https://example.org/1</link><description>About lakes.</description>
<pubDate>Wed, 01 Apr 2026 12:00:00 GMT</pubDate></item></channel></rss>"""
OUTPUT = """
[[outputs]]
name = "hook"
kind = "webhook"
url = "{server}/hook"
secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
"""
DAY = timedelta(days=1)


@pytest.fixture
def clock():
    return FakeClock(THURSDAY + timedelta(hours=2))


@pytest.fixture
def app(tmp_path: Path, httpserver, clock, monkeypatch, request):
    """An app with a reader, whose sources can be changed at `httpserver`, and whose messages go nowhere.

    A parameter is the end of its configuration.
    """
    written = f"{CONFIG}{getattr(request, 'param', '')}".replace("{server}", httpserver.url_for("").rstrip("/"))
    (tmp_path / "config.toml").write_text(written, "utf-8")
    transport = FakeTransport()
    with App(load(tmp_path / "config.toml", None), tmp_path, clock, wall_clock=clock) as app:
        monkeypatch.setattr(app, "transports", lambda: (transport,))
        for number in range(12):
            admin.add(app.database, app.digests, f"p{number}@example.org", "daily", (), THURSDAY - DAY)
        yield app


def serve(httpserver, *statuses: int) -> None:
    httpserver.clear()
    for status_code in statuses:
        httpserver.expect_ordered_request("/feed").respond_with_data(FEED, status=status_code, content_type="text/xml")


def test_a_run_is_recorded_with_what_it_did(app, httpserver):
    serve(httpserver, 200)
    app.run()
    found = status(app)
    (run,) = found.runs
    assert (run.outcome, run.new_papers, run.editions, run.sent) == (RunOutcome.WELL, 1, 1, 12)
    assert run.database_bytes == found.database_bytes
    (edition,) = found.editions
    assert (edition.digest, edition.papers, edition.deliveries) == ("daily", 1, {"sent": 12})
    (domain,) = found.domains
    assert (domain.domain, domain.sent, domain.failed) == ("example.org", 12, 0)


def test_the_cells_of_a_source_show_the_days_on_which_it_failed(app, httpserver, clock):
    serve(httpserver, 200, 200, 404, 404, 200)
    app.run()
    clock.sleep(DAY.total_seconds())
    app.run()
    clock.sleep(DAY.total_seconds())
    app.run()
    clock.sleep(DAY.total_seconds())
    app.run()
    app.run()
    (line,) = status(app).sources
    assert [kind_of(day) for day in line.days] == ["unread"] * (DAYS - 4) + ["new", "quiet", "failed", "partly"]


def test_a_run_that_an_error_ends_is_recorded_with_the_error(app, httpserver, monkeypatch):
    serve(httpserver, 200)

    def fail(**_options):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(app, "publish", fail)
    with pytest.raises(RuntimeError):
        app.run()
    (run,) = status(app).runs
    assert (run.outcome, run.detail) == (RunOutcome.FAILED, "the disk is full")


@pytest.mark.parametrize("app", [OUTPUT], indirect=True)
def test_a_run_in_which_only_an_output_fails_is_recorded_as_one_with_trouble(app, httpserver):
    serve(httpserver, 200)
    locked = []

    def answer(_request):
        with app.database.lock("run") as held:
            locked.append(not held)
        return Response("gone", status=410)

    httpserver.expect_request("/hook").respond_with_handler(answer)
    report = app.run()
    (run,) = status(app).runs
    assert report.failed
    assert (run.outcome, run.sent) == (RunOutcome.TROUBLE, 12)
    assert run.detail.startswith("output hook: failed: ")
    assert locked == [False]


def test_a_run_that_is_killed_has_no_end(app, httpserver, monkeypatch):
    serve(httpserver, 200)

    def kill(**_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "publish", kill)
    with pytest.raises(KeyboardInterrupt):
        app.run()
    (run,) = status(app).runs
    assert (run.outcome, run.ended_at) == (None, None)


def test_the_command_prints_one_screen_and_exits_with_1_if_something_needs_the_operator(app, httpserver, tmp_path):
    assert "feed  ..............  not read yet" in digestmail(tmp_path, "status")
    serve(httpserver, 404)
    app.run()
    said = digestmail(tmp_path, "status", status=1)
    assert "1 problem\n  source feed: refused" in said
    report = json.loads(digestmail(tmp_path, "status", "--json", status=1))
    assert report["runs"][0]["outcome"] == "trouble"
    assert [len(source["days"]) for source in report["sources"]] == [DAYS]


@pytest.mark.parametrize(
    ("readings", "failures", "new", "shown"),
    [(2, 0, 3, "new"), (2, 0, 0, "quiet"), (2, 1, 3, "partly"), (2, 2, 0, "failed")],
)
def test_a_day_of_a_source_is_of_one_kind(readings, failures, new, shown):
    day = SourceDay(source="s", day=THURSDAY.date(), readings=readings, failures=failures, new_papers=new)
    assert kind_of(day) == shown


def test_the_growth_is_known_after_a_day():
    first = RunRecord(started_at=THURSDAY, ended_at=THURSDAY, database_bytes=1_000)
    assert growth_of(first, 5_000, THURSDAY + 4 * DAY) == 1_000
    assert growth_of(first, 5_000, THURSDAY + DAY / 2) is None
    assert growth_of(None, 5_000, THURSDAY) is None


def test_sizes_and_shares_are_short():
    assert [in_bytes(count) for count in (999, 1_500, 2_500_000_000)] == ["999 B", "1.5 kB", "2.5 GB"]
    assert [share(3, 1000), share(0, 0)] == ["0.30 %", "-"]


def test_after_a_replay_the_status_can_be_seen_from_then(app, httpserver, tmp_path):
    serve(httpserver, 200)
    app.run()
    said = digestmail(tmp_path, "status", "--now", "2026-04-02T12:00:00Z")
    assert "feed  .............#  fresh" in said
    assert "last read" in digestmail(tmp_path, "status", status=1)
