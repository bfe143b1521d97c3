"""`collect` with reading lists: each service is asked for what it lists, and no failure of it stops anything."""

from __future__ import annotations

import json
import re
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from fakes import THURSDAY, FakeClock
from werkzeug import Request, Response

from digestmail.app import App
from digestmail.cli.printing import lines
from digestmail.config.load import load
from digestmail.model.personal import KnownPaper, ReadingListKind
from digestmail.model.reports import ReadingListsReport
from digestmail.status.check import check
from digestmail.storage import profiles, reading_lists
from digestmail.subscribers import admin
from digestmail.wiring.reading_lists import ServiceAddresses

CONFIG = """
[mail]
sender = "digest@example.org"
transport = "maildir"
[mail.maildir]
path = "mail"
[network]
allow_private_hosts = ["localhost"]
timeout = 3600.0
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
PROFILE = """
[profile]
zotero = "users/4711"
zotero_key = "made-up-key"
orcid = "0000-0002-1825-0097"
arxiv_author = "example_a_1"
arxiv_ids = ["2604.00007"]
files = ["library.bib"]
"""
FEED = (
    "<?xml version='1.0'?><rss version='2.0'><channel><title>F</title><item><title>Rivers</title>"
    "<link>https://a.example.org/rivers</link><description>About rivers.</description>"
    "<pubDate>Thu, 02 Apr 2026 05:00:00 GMT</pubDate></item></channel></rss>"
)
LIBRARY = "@article{quiet, title={From a {File}}, abstract={Written down.}, year=2024}"
SERVICES = re.compile("/(zotero|orcid|arxiv|arxiv_api)/.*")
KEY = "made-up-key"
READER = "reader@example.net"


def articles(*papers: tuple[str, str]) -> str:
    """Return articles as the query API and author feeds of arXiv have them: (arXiv id, title)."""
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/{arxiv_id}v1</id><published>2026-04-01T08:00:00Z</published>"
        f"<title>{escape(title)}</title><summary>About {escape(title)}.</summary></entry>"
        for arxiv_id, title in papers
    )
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"<title>arXiv</title><opensearch:totalResults>{len(papers)}</opensearch:totalResults>{entries}</feed>"
    )


def items(*titles: str) -> str:
    return json.dumps([{"data": {"itemType": "preprint", "title": title, "abstractNote": "A."}} for title in titles])


@pytest.fixture
def start(httpserver, tmp_path: Path, monkeypatch):
    httpserver.expect_request("/feed").respond_with_data(FEED, content_type="application/rss+xml")
    places = {name: httpserver.url_for(f"/{name}") for name in ("zotero", "orcid", "arxiv", "arxiv_api")}
    monkeypatch.setattr("digestmail.wiring.reading_lists.ServiceAddresses", partial(ServiceAddresses, **places))
    clock = FakeClock(THURSDAY)

    def start(profile: str = PROFILE) -> App:
        (tmp_path / "library.bib").write_text(LIBRARY, "utf-8")
        (tmp_path / "config.toml").write_text(CONFIG.format(feed=httpserver.url_for("/feed")) + profile, "utf-8")
        return App(load(tmp_path / "config.toml", None), tmp_path, clock, wall_clock=clock)

    return start


@pytest.fixture
def services(httpserver) -> list[Request]:
    """Answer like the services do; return the requests that they see."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        if request.path == "/zotero/users/4711/items/top":
            private = request.headers.get("Zotero-API-Key") != KEY
            return Response("Forbidden", status=403) if private else Response(items("From Zotero"))
        if request.path == "/zotero/groups/12/items/top":
            return Response(items("From a group"))
        if request.path == "/orcid/v3.0/0000-0002-1825-0097/works":
            ids = {"external-id": [{"external-id-type": "arxiv", "external-id-value": "2604.00008"}]}
            work = {"title": {"title": {"value": "From ORCID"}}, "external-ids": ids}
            return Response(json.dumps({"group": [{"work-summary": [work]}]}))
        if request.path == "/arxiv/a/example_a_1.atom2":
            return Response(articles(("2604.00009", "From an author")))
        if request.path == "/arxiv_api/api/query":
            return Response(articles(*[(one, f"From arXiv {one}") for one in request.args["id_list"].split(",")]))
        return Response(status=404)

    httpserver.expect_request(SERVICES).respond_with_handler(answer)
    return seen


def subscribe(app: App, *lists: tuple[ReadingListKind, str]) -> int:
    admin.add(app.database, app.digests, READER, "daily", (), THURSDAY - timedelta(days=1))
    with app.database.begin() as connection:
        for kind, reference in lists:
            reading_lists.add(connection, 1, kind, reference, (), THURSDAY)
    return 1


def test_every_list_of_the_configuration_is_read_in_one_run(start, services):
    with start() as app:
        report = app.collect()
        assert report.reading_lists == ReadingListsReport(read=4, papers=4)
        assert "collect  reading lists: 4 read with 4 papers" in list(lines(report))
        with app.database.connect() as connection:
            known = profiles.common_papers(connection)
        assert app.collect().reading_lists is None
    assert {(one.title, one.abstract) for one in known} == {
        ("From a File", "Written down."),
        ("From arXiv 2604.00007", "About From arXiv 2604.00007."),
        ("From an author", "About From an author."),
        ("From ORCID", "About From arXiv 2604.00008."),
        ("From Zotero", "A."),
    }


def test_the_key_is_sent_for_the_library_of_the_operator_only(start, services):
    with start() as app:
        reader = subscribe(app, (ReadingListKind.ZOTERO, "users/4711"), (ReadingListKind.ZOTERO, "groups/12"))
        assert app.collect().reading_lists == ReadingListsReport(read=5, papers=5, failed=1)
        with app.database.connect() as connection:
            private, public = reading_lists.of(connection, reader)
            profile = profiles.of(connection, reader)
    assert private.problem == "It is not public."
    assert public.problem is None
    assert profile is not None
    assert profile.papers == (KnownPaper(title="From a group", abstract="A."),)
    with_key = [request.path for request in services if "Zotero-API-Key" in request.headers]
    assert with_key == ["/zotero/users/4711/items/top"]
    assert all(KEY not in request.url for request in services)


def test_nothing_about_readers_is_sent(start, services):
    with start("") as app:
        subscribe(app, (ReadingListKind.ORCID, "0000-0002-1825-0097"), (ReadingListKind.ARXIV_AUTHOR, "example_a_1"))
        assert app.run().collect.reading_lists == ReadingListsReport(read=2, papers=2)
    assert all(READER not in f"{request.url}{request.headers}" for request in services)


@pytest.mark.parametrize("status", [404, 429, 500])
def test_services_that_fail_are_reported_and_the_run_goes_on(httpserver, start, status, caplog):
    httpserver.expect_request(SERVICES).respond_with_data("no", status=status)
    with start() as app:
        subscribe(app)
        report = app.run()
        with app.database.connect() as connection:
            problems = [one.problem or "" for one in reading_lists.of(connection, None) if one.kind != "file"]
    assert report.collect.reading_lists == ReadingListsReport(failed=4)
    assert "collect  reading lists: 4 could not be read" in list(lines(report))
    assert not report.failed
    assert report.deliver.sent == 1
    assert len(list(filter(None, problems))) == 4
    assert KEY not in caplog.text + str(report) + str(problems)


def test_check_names_the_lists_of_the_configuration_that_fail_and_what_to_do(httpserver, start):
    httpserver.expect_request(SERVICES).respond_with_data("Invalid key", status=403)
    with start('[profile]\nzotero = "users/4711"\nzotero_key = "made-up-key"\n') as app:
        app.collect()
        said = [problem for problem in check(app, connect=False).problems if problem.startswith("reading list")]
    (one,) = said
    assert one.startswith("reading list zotero users/4711 of [profile]: http://localhost")
    assert one.endswith("answered 403; zotero_key in [profile] is missing or wrong, or may not read this library")


def test_check_asks_the_services_for_the_lists_of_the_configuration_if_it_may_connect(start, services, tmp_path):
    def said(app: App, *, connect: bool) -> list[str]:
        return [problem for problem in check(app, connect=connect).problems if problem.startswith("reading list")]

    with start() as app:
        assert said(app, connect=False) == []
        assert services == []
        assert said(app, connect=True) == []
        assert {request.path.split("/")[1] for request in services} == {"zotero", "orcid", "arxiv"}
        (library_request,) = [request for request in services if request.path.startswith("/zotero")]
        assert library_request.headers["Zotero-API-Key"] == KEY
        assert library_request.headers["If-Modified-Since-Version"] == "999999999"
        with app.database.connect() as connection:
            assert reading_lists.of(connection, None) == ()
    text = (
        (tmp_path / "config.toml").read_text("utf-8").replace(KEY, "another-key").replace("example_a_1", "example_b_1")
    )
    (tmp_path / "config.toml").write_text(text, "utf-8")
    clock = FakeClock(THURSDAY + timedelta(minutes=1))
    with App(load(tmp_path / "config.toml", None), tmp_path, clock, wall_clock=clock) as app:
        author, library = sorted(said(app, connect=True))
    assert author.startswith("reading list arxiv-author example_b_1 of [profile]: ")
    assert author.endswith("answered 404")
    assert "zotero_key in [profile] is missing or wrong" in library


def test_a_run_without_lists_loads_no_service(start, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("digestmail.sources.zotero")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("digestmail.wiring.reading_lists._Readers", None)
    with start("") as app:
        assert app.collect().reading_lists is None
    assert "digestmail.sources.zotero" not in sys.modules


def test_a_dry_run_reads_no_list(start, services):
    with start() as app:
        assert app.collect(dry_run=True).reading_lists is None
    assert services == []


def test_slow_services_delay_a_run_by_five_minutes_at_most(httpserver, start):
    with start("") as app:
        subscribe(app, *[(ReadingListKind.ORCID, str(number)) for number in range(4)])

        def answer(_request: Request) -> Response:
            app.clock.sleep(200)
            return Response('{"group": []}')

        httpserver.expect_request(SERVICES).respond_with_handler(answer)
        assert app.collect().reading_lists == ReadingListsReport(read=2)
        assert app.collect().reading_lists == ReadingListsReport(read=2)
