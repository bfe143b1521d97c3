from __future__ import annotations

import json
import re

import pytest
from websites import THURSDAY, ask, create_app, open_app, publish, work

from digestmail.model.papers import Sighting
from digestmail.storage import papers
from digestmail.web.citations import preferred_format

BIBTEX, RIS, CSL = (
    "application/x-bibtex",
    "application/x-research-info-systems",
    "application/vnd.citationstyles.csl+json",
)


def two_days(database):
    for day in range(2):
        publish(database, day)


@pytest.fixture
def site(filled_url):
    with open_app(filled_url(two_days)) as app:
        yield create_app(app)


def keys(answer) -> list[str]:
    """Return the papers that a file cites, in order, whatever its format."""
    media_type = answer.headers["content-type"].partition(";")[0]
    if media_type == CSL:
        return [item["id"] for item in answer.json]
    return re.findall({BIBTEX: r"(?m)^@misc\{(.*),$", RIS: r"(?m)^ID  - (.*?)\r?$"}[media_type], answer.text)


FILES = [("bib", BIBTEX), ("ris", RIS), ("csl.json", CSL)]


@pytest.mark.parametrize(("path", "media_type"), [("bibtex", BIBTEX), ("ris", RIS), ("csl-json", CSL)])
def test_a_paper_is_cited_under_any_of_its_names(site, path, media_type):
    for ref in ("arxiv:2601.00001", "2601.00001v2", "https://arxiv.org/abs/2601.00001"):
        found = ask(site, f"/{path}/{ref}")
        assert found.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert keys(found) == ["arxiv-2601.00001"]
    assert found.headers["content-disposition"].startswith('attachment; filename="paper.')
    assert ask(site, f"/{path}/arxiv:9999.99999").status == 404


@pytest.mark.parametrize(("extension", "media_type"), FILES)
def test_an_edition_is_cited_as_its_page_shows_it(site, extension, media_type):
    found = ask(site, f"/daily/2026-04-02/papers.{extension}")
    assert found.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert found.headers["content-disposition"] == f'attachment; filename="daily-2026-04-02.{extension}"'
    assert len(keys(found)) == len(set(keys(found))) == 7
    topic = ask(site, f"/daily/2026-04-02/papers.{extension}?topic=Agents")
    assert keys(topic) == ["arxiv-2601.00004", "arxiv-2601.00005"]


@pytest.mark.parametrize(("extension", "media_type"), FILES)
def test_a_search_is_cited_with_the_newest_first(site, extension, media_type):
    found = ask(site, f"/search.{extension}?q=cache")
    assert found.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert keys(found) == ["arxiv-2601.00002", "arxiv-2602.00002"]
    assert keys(ask(site, f"/search.{extension}?q=zzzz")) == []


@pytest.mark.parametrize(
    "path",
    [
        "/daily/2026-04-02/papers.doc",
        "/daily/1999-01-01/papers.bib",
        "/daily/2026-04-02/papers.bib?topic=None",
        "/nothing/2026-04-02/papers.bib",
        "/search.doc?q=cache",
        "/search.?q=cache",
    ],
)
def test_what_cannot_be_cited_is_not_found(site, path):
    assert ask(site, path).status == 404


def test_an_edition_is_cited_with_what_is_known_today(site):
    database = site.state.digestmail.database
    corrected = work(0, 0, authors=("Jan van der Sample",), title="Skipping Layers Gracefully, Corrected")
    with database.begin() as connection:
        seen = Sighting(source="arxiv", paper=corrected, day=THURSDAY.date())
        papers.add_sightings(connection, [seen], THURSDAY)
    found = ask(site, "/daily/2026-04-02/papers.csl.json").json[0]
    shown = ask(site, "/csl-json/arxiv:2601.00001").json[0]
    assert found == shown


@pytest.mark.parametrize("path", ["/papers/arxiv:2601.00001", "/daily/2026-04-02?topic=Agents", "/search?q=cache"])
def test_pages_offer_citations_in_every_format(site, path):
    page = ask(site, path).text
    links = [re.search(rf'href="([^"]*)">{name}</a>', page) for name in ("BibTeX", "RIS", "CSL-JSON")]
    cited = [keys(ask(site, link[1].replace("&amp;", "&"))) for link in links]
    assert cited[0] == cited[1] == cited[2] != []


def test_pages_without_papers_offer_none(site):
    assert "CSL-JSON" not in ask(site, "/search?q=zzzz").text


@pytest.mark.parametrize(
    ("path", "cited"),
    [
        ("/api/v1/papers/2601.00001", 1),
        ("/api/v1/papers?limit=5", 5),
        ("/api/v1/editions/daily/2026-04-02", 7),
        ("/api/v1/search?q=cache", 2),
    ],
)
@pytest.mark.parametrize("media_type", [BIBTEX, RIS, CSL])
def test_the_api_cites_for_who_accepts_that(site, path, cited, media_type):
    found = ask(site, path, headers={"accept": media_type})
    assert found.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert len(keys(found)) == cited
    assert found.headers["vary"] == "Accept"
    again = ask(site, path, headers={"accept": media_type, "if-none-match": found.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("path", ["/api/v1/papers/2601.00001", "/api/v1/editions/daily/2026-04-02"])
def test_no_one_gets_the_format_that_another_one_accepted(site, path):
    cited = ask(site, path, headers={"accept": BIBTEX})
    plain = ask(site, path, headers={"accept": "application/json", "if-none-match": cited.headers["etag"]})
    assert plain.headers["content-type"] == "application/json"
    assert json.loads(plain.body)
    assert plain.headers["vary"] == "Accept"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", None),
        ("*/*", None),
        ("application/json", None),
        ("text/html", None),
        (BIBTEX, "bibtex"),
        (BIBTEX.upper(), "bibtex"),
        (f"{BIBTEX};charset=utf-8", "bibtex"),
        (f"{CSL}, {BIBTEX};q=0.5", "csl-json"),
        (f"{BIBTEX};q=0.5, {RIS}; q=0.9", "ris"),
        (f"{BIBTEX}, */*;q=0.1", "bibtex"),
        (f"{BIBTEX};q=0.4, */*;q=0.8", None),
        (f"application/json, {BIBTEX}", None),
        (f"{BIBTEX};q=0", None),
        (f"{BIBTEX};q=x", None),
        (f"{BIBTEX};q=nan", None),
        ("," * 5000, None),
    ],
)
def test_the_preferred_format_is_read_from_the_accept_field(accept, wanted):
    assert preferred_format(accept) == wanted
