"""Each kind of source in a run: what a faulty server costs, what the next run reads, and pauses between requests."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from fakes import THURSDAY, FakeClock
from source_services import SERVICES, Service, titles
from werkzeug import Request, Response

from digestmail.app import App
from digestmail.config.load import load
from digestmail.config.sources import KINDS
from digestmail.model.papers import Health
from digestmail.model.reports import RunReport
from digestmail.storage import papers
from digestmail.storage.host_limits import StoredHostLimits

CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[mail.maildir]
path = "mail"
[network]
allow_private_hosts = ["localhost"]
timeout = 60.0
[[sources]]
name = "neighbour"
kind = "feed"
url = "{neighbour}"
[[sources]]
name = "service"
kind = "{kind}"
{keys}
[[digests]]
name = "daily"
title = "Papers"
schedule = "0 7 * * *"
sources = ["service", "neighbour"]
max_papers = 50
"""
NEIGHBOUR = (
    "<rss version='2.0'><channel><title>N</title><item><title>Rivers</title><link>https://a.example.org/rivers</link>"
    "<pubDate>Thu, 02 Apr 2026 05:00:00 GMT</pubDate></item></channel></rss>"
)
PAGE = "<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
WELL = {Health.FRESH, Health.NOTHING_ANNOUNCED}

Fault = Callable[[int, Response], Response]
"""Returns what the server sends, for the number of the request and what it would send if all was well."""


class Stage:
    """A program with a fake clock, and a server for the service and its neighbour."""

    def __init__(self, service: Service, httpserver, path: Path) -> None:
        self.service = service
        self.clock = FakeClock(THURSDAY)
        self.fault: Fault = lambda _number, response: response
        self.requests: list[tuple[datetime, Request]] = []
        self.path = path
        httpserver.expect_request("/neighbour").respond_with_data(NEIGHBOUR, content_type="application/rss+xml")
        httpserver.expect_request(re.compile("/service.*")).respond_with_handler(self._answer)
        keys = service.keys.format(url=httpserver.url_for("/service"))
        text = CONFIG.format(kind=service.kind, keys=keys, neighbour=httpserver.url_for("/neighbour"))
        (path / "config.toml").write_text(text, "utf-8")

    def _answer(self, request: Request) -> Response:
        self.requests.append((self.clock.now(), request))
        return self.fault(len(self.requests), self.service.answer(request))

    def run(self) -> RunReport:
        with App(load(self.path / "config.toml", None), self.path, self.clock, wall_clock=self.clock) as app:
            return app.run()

    def stored(self) -> list[str]:
        with (
            App(load(self.path / "config.toml", None), self.path, self.clock, wall_clock=self.clock) as app,
            app.database.connect() as connection,
        ):
            return sorted(paper.title for paper in papers.list_papers(connection, 100))


@pytest.fixture(params=SERVICES)
def name(request) -> str:
    return request.param


@pytest.fixture
def stage(name, httpserver, tmp_path, monkeypatch, sqlite_template) -> Stage:
    shutil.copy(sqlite_template, tmp_path / "digestmail.db")
    # Hosts that the operator runs need no pauses; this one stands for a service elsewhere.
    monkeypatch.setattr("digestmail.wiring.sources.StoredHostLimits", lambda database, **_: StoredHostLimits(database))
    return Stage(SERVICES[name], httpserver, tmp_path)


def health(report: RunReport) -> Health:
    assert report.collect is not None
    (found,) = [one for one in report.collect.sources if one.source.startswith("service")]
    return found.health[0].health


def test_every_kind_is_tried():
    kinds = {table.model_fields["kind"].annotation.__args__[0] for table in KINDS}
    assert {service.kind for service in SERVICES.values()} == kinds


def test_papers_come_and_a_bad_record_is_counted(name, stage):
    report = stage.run()
    assert not report.failed
    assert set(stage.stored()) == titles(name) | {"Rivers"}
    (found,) = [one for one in report.collect.sources if one.source.startswith("service")]
    assert sum(found.skipped.values()) == stage.service.bad
    assert found.health[0].health is Health.FRESH


def test_requests_are_spaced_as_the_service_asks(stage):
    stage.run()
    moments = [moment for moment, _ in stage.requests]
    pauses = [later - earlier for earlier, later in pairwise(moments)]
    assert all(pause >= timedelta(seconds=stage.service.interval) for pause in pauses)
    agents = {request.headers["User-Agent"] for _, request in stage.requests}
    assert all("mailto:digest@example.org" in agent for agent in agents)


def _half(_number: int, response: Response) -> Response:
    body = response.get_data()
    return Response(body[: len(body) // 2], content_type=response.content_type)


FAULTS: dict[str, Fault] = {
    "429": lambda _n, _r: Response(status=429, headers={"Retry-After": "600"}),
    "503": lambda _n, _r: Response(status=503, headers={"Retry-After": "600"}),
    "500": lambda _n, _r: Response(status=500),
    "403": lambda _n, _r: Response(status=403),
    "404": lambda _n, _r: Response(status=404),
    "no body": lambda _n, _r: Response(b""),
    "a web page": lambda _n, _r: Response(PAGE, content_type="text/html"),
    "JSON of another kind": lambda _n, _r: Response('{"error": "maintenance"}', content_type="application/json"),
}


def test_a_fault_stops_no_other_source_and_the_next_run_reads_what_is_missing(stage, name):
    for fault, respond in FAULTS.items():
        stage.fault = respond
        report = stage.run()
        assert health(report) not in WELL, fault
        assert "neighbour" not in report.collect.failed, fault
        assert stage.stored() == ["Rivers"], fault
        stage.clock.time += timedelta(hours=1)
    stage.fault = lambda _number, response: response
    assert not stage.run().failed
    assert stage.stored() == sorted(titles(name) | {"Rivers"})


def test_a_fault_after_the_first_answer_stores_nothing_wrong_and_nothing_twice(stage, name):
    for fault, respond in {**FAULTS, "a body that is cut off": _half}.items():
        stage.requests.clear()
        stage.fault = lambda number, response, respond=respond: response if number == 1 else respond(number, response)
        report = stage.run()
        assert set(stage.stored()) <= titles(name) | {"Rivers"}, fault
        assert (health(report) in WELL) == (len(stage.requests) == 1), fault
        stage.clock.time += timedelta(hours=1)
    stage.fault = lambda _number, response: response
    assert not stage.run().failed
    assert stage.stored() == sorted(titles(name) | {"Rivers"})


def test_a_body_that_is_cut_off_gives_complete_papers_only(stage, name):
    stage.fault = _half
    report = stage.run()
    assert health(report) not in WELL
    assert set(stage.stored()) <= titles(name) | {"Rivers"}
    stage.fault = lambda _number, response: response
    stage.clock.time += timedelta(hours=1)
    assert not stage.run().failed
    assert stage.stored() == sorted(titles(name) | {"Rivers"})


def test_no_request_is_made_during_the_pause_that_a_server_asks_for(stage, name):
    stage.fault = FAULTS["429"]
    assert health(stage.run()) is Health.THROTTLED
    assert len(stage.requests) == 1
    stage.fault = lambda _number, response: response
    stage.clock.time += timedelta(seconds=500)
    assert health(stage.run()) is Health.THROTTLED
    assert len(stage.requests) == 1
    stage.clock.time += timedelta(seconds=100)
    stage.run()
    assert titles(name) <= set(stage.stored())


def test_the_wrong_content_type_costs_nothing(name, stage):
    def relabel(_number: int, response: Response) -> Response:
        changed = Response(response.get_data(), content_type="text/html; charset=utf-8")
        changed.headers.extend(
            {key: value for key, value in response.headers.items() if key.startswith(("Total", "L"))}
        )
        return changed

    stage.fault = relabel
    stage.run()
    assert set(stage.stored()) == titles(name) | {"Rivers"}


def test_a_service_that_has_nothing_is_well(stage):
    stage.fault = lambda _number, _response: Response(stage.service.empty)
    report = stage.run()
    assert not report.failed
    assert health(report) is Health.NOTHING_ANNOUNCED
    assert stage.stored() == ["Rivers"]


def test_a_page_without_records_loses_nothing_for_good(name, stage):
    stage.fault = lambda number, response: response if number == 1 else Response(stage.service.empty)
    stage.run()
    stage.fault = lambda _number, response: response
    stage.clock.time += timedelta(hours=23)
    stage.run()
    assert stage.stored() == sorted(titles(name) | {"Rivers"})
