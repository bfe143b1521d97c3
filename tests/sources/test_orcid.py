"""ORCID records: which works are read, in which order, and what no answer can do."""

from __future__ import annotations

import json

import pytest
from fetching import ScriptedFetcher
from hypothesis import given
from hypothesis import strategies as st
from loopback import client
from werkzeug import Request, Response

from digestmail.errors import SourceError, SourceRefusedError, SourceUnavailableError, SourceUnreadableError
from digestmail.sources.orcid import OrcidRecords, parse_works
from digestmail.sources.reading_list import ListedPaper, ListReading

ORCID = "0000-0002-1825-0097"
PATH = f"/v3.0/{ORCID}/works"


def external(kind: str, value: object, relationship: str = "self") -> dict:
    return {"external-id-type": kind, "external-id-value": value, "external-id-relationship": relationship}


def summary(title: object = "Quiet rivers", *ids: dict, date: object = None) -> dict:
    """Return the description of a work, with the optional parts that ORCID leaves null."""
    return {
        "put-code": 1,
        "title": {"title": {"value": title}, "subtitle": None, "translated-title": None},
        "external-ids": {"external-id": list(ids)},
        "publication-date": date,
        "journal-title": None,
    }


def day(year: str, month: str | None = None, number: str | None = None) -> dict:
    parts = {"year": year, "month": month, "day": number}
    return {name: None if value is None else {"value": value} for name, value in parts.items()}


def record(*groups: object) -> bytes:
    return json.dumps({"last-modified-date": {"value": 1}, "group": list(groups), "path": f"/{ORCID}/works"}).encode()


def group(*summaries: object) -> dict:
    return {"external-ids": {"external-id": []}, "work-summary": list(summaries)}


def titles(*groups: object) -> list[str]:
    return [work.title for work in parse_works(record(*groups)) if isinstance(work, ListedPaper)]


def serve(httpserver, *answers: Response) -> list[Request]:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    httpserver.expect_request(PATH).respond_with_handler(answer)
    return seen


def read(httpserver, validator: str = "", **options) -> ListReading:
    with client(**options) as http:
        return OrcidRecords(fetcher=http, base_url=httpserver.url_for("")).read(ORCID, validator)


def test_it_asks_for_the_works_as_json_and_keeps_the_tag(httpserver):
    seen = serve(httpserver, Response(record(group(summary())), headers={"ETag": '"a1"'}))
    reading = read(httpserver)
    assert seen[0].headers["Accept"] == "application/json"
    assert "If-None-Match" not in seen[0].headers
    assert reading == ListReading(papers=(ListedPaper(title="Quiet rivers"),), validator='"a1"')


def test_an_unchanged_record_is_not_transferred(httpserver):
    seen = serve(httpserver, Response(status=304))
    assert read(httpserver, '"a1"') == ListReading(unchanged=True, validator='"a1"')
    assert seen[0].headers["If-None-Match"] == '"a1"'


def test_a_tag_of_any_length_is_not_stored(httpserver):
    serve(httpserver, Response(record(), headers={"ETag": f'"{"a" * 600}"'}))
    assert read(httpserver).validator == ""


def test_a_work_that_several_sources_describe_is_one_paper_with_the_ids_of_all():
    descriptions = (
        summary("Quiet rivers", external("doi", "10.1000/Quiet")),
        summary("QUIET", external("arxiv", "2604.00157")),
    )
    assert list(parse_works(record(group(*descriptions)))) == [
        ListedPaper(title="Quiet rivers", ids=("arxiv:2604.00157", "doi:10.1000/quiet"))
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (external("arxiv", "arXiv:2604.00157"), ("arxiv:2604.00157",)),
        (external("ARXIV", "2604.00157v3"), ("arxiv:2604.00157",)),
        (external("arxiv", "https://arxiv.org/abs/2604.00157"), ("arxiv:2604.00157",)),
        (external("arxiv", "math/0309136", "VERSION_OF"), ("arxiv:math/0309136",)),
        (external("doi", "https://doi.org/10.48550/arXiv.2604.00157"), ("arxiv:2604.00157",)),
        (external("doi", "10.1000/book", "part-of"), ()),
        (external("isbn", "978-3-16-148410-0"), ()),
        (external("doi", None), ()),
        (external("doi", ["10.1000/x"]), ()),
    ],
)
def test_ids_of_the_work_itself_are_found(written, expected):
    (paper,) = parse_works(record(group(summary("A", written))))
    assert isinstance(paper, ListedPaper)
    assert set(expected) <= set(paper.ids)
    assert bool(expected) == bool(paper.ids)


def test_the_newest_works_come_first():
    groups = [
        group(summary("undated")),
        group(summary("2019", date=day("2019"))),
        group(summary("2026 in May", date=day("2026", "05", "02"))),
        group(summary("2026", date=day("2026"))),
        group(summary("wrong", date=day("soon"))),
    ]
    assert titles(*groups) == ["2026 in May", "2026", "2019", "undated", "wrong"]


def test_the_newest_five_hundred_are_kept(httpserver):
    groups = [group(summary(f"Work {number}", date=day(str(1400 + number)))) for number in range(600)]
    serve(httpserver, Response(record(*groups)))
    reading = read(httpserver)
    assert len(reading.papers) == 500
    assert reading.papers[0].title == "Work 599"
    assert len(reading.skipped) == 100


def test_markup_of_publishers_becomes_text():
    assert titles(group(summary("On <i>E. coli</i> &amp; H<sub>2</sub>O"))) == ["On E. coli & H₂O"]


@pytest.mark.parametrize(
    "broken",
    [
        None, 7, "x", [], {}, {"work-summary": None}, {"work-summary": {}}, {"work-summary": [None]},
        group(summary(None)), group(summary(7)), group(summary("  ")), group({"title": None}), group({"title": "x"}),
        group({"title": {"title": None}}), group({"title": {"title": "x"}}),
    ],
)  # fmt: skip
def test_a_broken_work_is_set_aside_and_counted(httpserver, broken):
    serve(httpserver, Response(record(broken, group(summary()))))
    reading = read(httpserver)
    assert [paper.title for paper in reading.papers] == ["Quiet rivers"]
    assert len(reading.skipped) == 1


@pytest.mark.parametrize("ids", [None, {}, {"external-id": None}, {"external-id": [None, 7, {}]}, "x"])
def test_a_work_without_ids_is_a_work(ids):
    assert titles(group({**summary(), "external-ids": ids})) == ["Quiet rivers"]


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"group": null}', b'{"group": {}}', b"7", b'{"group": [', b"", b"<html>"]
)
def test_an_answer_that_is_no_list_of_works_is_an_error(httpserver, body):
    serve(httpserver, Response(body))
    with pytest.raises(SourceUnreadableError):
        read(httpserver)


@pytest.mark.parametrize(
    ("status", "kind"), [(404, SourceRefusedError), (409, SourceRefusedError), (503, SourceUnavailableError)]
)
def test_a_refusal_is_an_error_with_its_status(httpserver, status, kind):
    serve(httpserver, Response('{"response-code": 1}', status=status))
    with pytest.raises(SourceError) as caught:
        read(httpserver)
    assert isinstance(caught.value, kind)
    assert caught.value.status == status


def test_a_record_that_was_merged_is_read_where_it_went(httpserver):
    serve(httpserver, Response(status=301, headers={"Location": "/v3.0/0000-0001-5109-3700/works"}))
    httpserver.expect_request("/v3.0/0000-0001-5109-3700/works").respond_with_data(record(group(summary())))
    assert len(read(httpserver).papers) == 1


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["group", "work-summary", "title", "value", "external-ids", "external-id", "publication-date"]),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(_JSON, max_size=3))
def test_any_json_is_works_records_set_aside_or_an_error(groups):
    fetcher = ScriptedFetcher(lambda _request: json.dumps({"group": groups}).encode())
    reading = OrcidRecords(fetcher=fetcher).read(ORCID)
    assert len(reading.papers) + len(reading.skipped) == len(groups)
