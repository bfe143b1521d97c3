"""What Semantic Scholar and OpenAlex answer becomes records of the right papers, whatever else is in it."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from fakes import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from indexes import OpenAlexServer, SemanticScholarServer, place, s2_paper, work
from loopback import FakeHostLimits
from werkzeug import Response

from digestmail.errors import (
    SourceError,
    SourceKnowsNothingError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnreadableError,
)
from digestmail.model.literature import IndexName, IndexRecord, PaperIds
from digestmail.model.papers import Validators
from digestmail.sources.base import Answer
from digestmail.sources.http.client import Http
from digestmail.sources.http.ssrf import PrivateHosts, parse_target
from digestmail.sources.json_endpoint import JsonEndpoint
from digestmail.sources.openalex import OpenAlex
from digestmail.sources.semantic_scholar import SemanticScholar, batch_address

ARXIV = PaperIds(row_id=1, arxiv_id="2604.00001")
DOI = PaperIds(row_id=2, dois=("10.5555/rivers.2",))
BOTH = PaperIds(row_id=3, arxiv_id="2604.00003", dois=("10.5555/rivers.3",))
KEY = "made-up-key"
S2_URL = f"https://www.semanticscholar.org/paper/{'0a' * 20}"


def s2(citations: int | None = 7, venue: str | None = None, url: str | None = S2_URL) -> IndexRecord:
    return IndexRecord(source=IndexName.SEMANTIC_SCHOLAR, citations=citations, venue=venue, url=url)


def openalex(citations: int | None = 7, venue: str | None = None) -> IndexRecord:
    url = "https://openalex.org/W123"
    return IndexRecord(source=IndexName.OPENALEX, citations=citations, venue=venue, url=url)


@pytest.fixture
def scholar(httpserver):
    return SemanticScholarServer(httpserver)


@pytest.fixture
def alex(httpserver):
    return OpenAlexServer(httpserver)


def ask_scholar(httpserver, *papers: PaperIds, clock: FakeClock | None = None, limits: FakeHostLimits | None = None):
    endpoint = JsonEndpoint(
        table="enrichment",
        address=batch_address(httpserver.url_for("")),
        api_key=KEY,
        timeout=10.0,
        max_body_bytes=1_000_000,
        clock=clock or FakeClock(),
        host_limits=limits or FakeHostLimits(),
        user_agent="digestmail/0",
        min_interval=1.0,
        key_header="x-api-key",
        key_file="semantic_scholar_key_file",
    )
    with endpoint:
        return SemanticScholar(endpoint).look_up(papers)


def ask_alex(httpserver, *papers: PaperIds, key: str | None = KEY):
    with Http(
        clock=FakeClock(),
        host_limits=FakeHostLimits(),
        validators=lambda _: Validators(),
        user_agent="digestmail/0",
        timeout=10.0,
        max_body_bytes=1_000_000,
        random=Random(1),
        private=PrivateHosts.parse(("localhost",)),
    ) as http:
        return OpenAlex(fetcher=http, api_key=key, base_url=httpserver.url_for("")).look_up(papers)


def test_semantic_scholar_is_asked_by_arxiv_id_or_doi_with_the_key_in_a_header(httpserver, scholar):
    scholar.known = {
        "ARXIV:2604.00001": s2_paper("2604.00001"),
        "DOI:10.5555/rivers.2": s2_paper(
            doi="10.5555/Rivers.2", citations=0, publicationVenue={"name": "Journal of Rivers"}
        ),
    }
    found = ask_scholar(httpserver, ARXIV, DOI, BOTH, PaperIds(row_id=9))
    assert found == {1: s2(), 2: s2(0, "Journal of Rivers")}
    (request,) = scholar.requests
    assert scholar.asked == [["ARXIV:2604.00001", "DOI:10.5555/rivers.2", "ARXIV:2604.00003"]]
    assert request.args["fields"] == "externalIds,citationCount,venue,publicationVenue"
    assert request.headers["x-api-key"] == KEY
    assert "Authorization" not in request.headers


def test_records_of_another_order_or_of_other_papers_are_matched_by_their_ids(httpserver, scholar):
    scholar.known = {
        "ARXIV:2604.00001": s2_paper("2604.00003", citations=3),
        "DOI:10.5555/rivers.2": s2_paper("2604.99999", citations=9),
        "ARXIV:2604.00003": s2_paper("2604.00001", citations=1),
    }
    assert ask_scholar(httpserver, ARXIV, DOI, BOTH) == {1: s2(1), 3: s2(3)}
    scholar.known = {"ARXIV:2604.00003": s2_paper(doi="10.5555/RIVERS.3")}
    assert ask_scholar(httpserver, BOTH) == {3: s2()}


@pytest.mark.parametrize(
    ("entry", "record"),
    [
        (s2_paper("2604.00001", citations="7", venue=3), s2(None)),
        (s2_paper("2604.00001", citations=-1, paperId="../evil"), s2(None, url=None)),
        (s2_paper("2604.00001", citations=True, paperId=None), s2(None, url=None)),
        (s2_paper("2604.00001", citations=10**40), s2(None)),
        (s2_paper("2604.00001", venue="NeurIPS\u202e\n 2026"), s2(venue="NeurIPS 2026")),
        (s2_paper("2604.00001", venue="bioRxiv"), s2()),
        (s2_paper("2604.00001", publicationVenue="x", venue="ICLR"), s2(venue="ICLR")),
        (s2_paper() | {"externalIds": None}, s2()),
        ("text", None),
        (None, None),
        ([], None),
    ],
)
def test_one_bad_record_of_semantic_scholar_stops_no_other(httpserver, scholar, entry, record):
    scholar.known = {"ARXIV:2604.00001": entry, "DOI:10.5555/rivers.2": s2_paper(doi="10.5555/rivers.2", citations=5)}
    expected = {2: s2(5)} | ({1: record} if record else {})
    assert ask_scholar(httpserver, ARXIV, DOI) == expected


def test_a_batch_of_which_nothing_is_known_says_so(httpserver, scholar):
    with pytest.raises(SourceKnowsNothingError):
        ask_scholar(httpserver, ARXIV, DOI)
    assert ask_scholar(httpserver, PaperIds(row_id=9)) == {}
    assert len(scholar.requests) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Response('{"error": "Unrecognized field"}', status=400), SourceRefusedError),
        (Response('{"message": "Too Many Requests", "code": "429"}', status=429), SourceThrottledError),
        (Response('{"message": "Forbidden"}', status=403), SourceRefusedError),
        (Response("{}"), SourceUnreadableError),
        (Response("<html>"), SourceUnreadableError),
    ],
)
def test_faults_of_semantic_scholar_are_errors_without_the_key(httpserver, scholar, fault, error):
    scholar.fault = fault
    with pytest.raises(error) as caught:
        ask_scholar(httpserver, ARXIV)
    assert not isinstance(caught.value, SourceKnowsNothingError)
    assert KEY not in str(caught.value)


def test_a_second_passes_between_two_requests_to_semantic_scholar(httpserver, scholar):
    scholar.known = {"ARXIV:2604.00001": s2_paper("2604.00001")}
    clock, limits = FakeClock(), FakeHostLimits()
    began = clock.now()
    for _ in range(3):
        ask_scholar(httpserver, ARXIV, clock=clock, limits=limits)
    assert (clock.now() - began).total_seconds() == 2


def test_openalex_is_asked_for_the_dois_of_publication_and_preprint(httpserver, alex):
    alex.works = [
        work("10.48550/arxiv.2604.00001", 1, place("arXiv (Cornell University)", "repository")),
        work("10.5555/rivers.2", 2, place("Journal of Rivers")),
        work("10.5555/other", 99),
    ]
    bad = PaperIds(row_id=8, dois=("10.5555/a,b", "10.5555/c|d"))
    assert ask_alex(httpserver, ARXIV, DOI, BOTH, bad) == {1: openalex(1), 2: openalex(2, "Journal of Rivers")}
    assert alex.asked == [
        ["10.48550/arxiv.2604.00001", "10.5555/rivers.2", "10.5555/rivers.3", "10.48550/arxiv.2604.00003"]
    ]
    assert alex.requests[0].args["api_key"] == KEY
    assert alex.requests[0].args["per_page"] == "100"


def test_a_preprint_that_openalex_merged_into_its_publication_is_found_by_its_places(httpserver, alex):
    arxiv = place("arXiv", "repository", "http://arxiv.org/abs/2604.00001")
    alex.works = [
        work("10.5555/elsewhere", 5, place("Journal of Rivers"), arxiv),
        work("10.48550/arxiv.2604.00001", 2, arxiv),
    ]
    assert ask_alex(httpserver, ARXIV, key=None) == {1: openalex(5, "Journal of Rivers")}
    assert "api_key" not in alex.requests[0].args


@pytest.mark.parametrize(
    "bad", [None, "text", 3, [], {}, {"doi": 3, "locations": "x"}, work("10.5555/rivers.2", "x") | {"id": 3}]
)
def test_one_bad_work_of_openalex_stops_no_other(httpserver, alex, bad):
    alex.works = [bad, work("10.48550/arxiv.2604.00001", 4)]
    assert ask_alex(httpserver, ARXIV, DOI)[1] == openalex(4)


def test_a_spent_budget_of_openalex_is_throttling_and_its_errors_show_no_key(httpserver, alex):
    alex.fault = Response('{"error": "Rate limit exceeded"}', status=429, headers={"Retry-After": "70"})
    with pytest.raises(SourceThrottledError) as caught:
        ask_alex(httpserver, ARXIV)
    assert KEY not in str(caught.value)
    for body, status in (("{}", 200), ("[]", 200), ("<html>", 200), ('{"error": "Invalid filter"}', 400)):
        alex.fault = Response(body, status=status)
        with pytest.raises(SourceError) as failed:
            ask_alex(httpserver, ARXIV)
        assert KEY not in str(failed.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
)


class Scripted:
    """Answers with a body."""

    target = parse_target("https://index.example.org/")

    def __init__(self, body: Any) -> None:
        self.body = json.dumps(body).encode()

    def fetch(self, *_: Any, **__: Any) -> Answer:
        return Answer(url="", body=self.body)

    def post(self, _: Any) -> bytes:
        return self.body


@given(JSON, JSON)
def test_any_json_is_records_of_the_papers_asked_for_or_an_error(inner, outer):
    works = {
        "results": [work("10.5555/rivers.2", inner, source=outer) | {"locations": outer, "id": inner}, inner, outer]
    }
    entries = [s2_paper(doi="10.5555/rivers.2", citations=inner, venue=outer, publicationVenue=outer), inner, outer]
    for body in (works, outer, {"results": outer}):
        with suppress(SourceUnreadableError):
            assert OpenAlex(fetcher=Scripted(body), api_key=None).look_up([DOI]).keys() <= {2}  # type: ignore[arg-type]  # only its body counts
    for body in (entries, outer, inner):
        with suppress(SourceUnreadableError):
            found = SemanticScholar(Scripted(body)).look_up([DOI])  # type: ignore[arg-type]  # only its body counts
            assert found.keys() <= {2}
            assert all((one.venue or "").isprintable() for one in found.values())
