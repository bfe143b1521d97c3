"""A Zotero library as a source: what was added, page by page, and what a bad item or page costs."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from fakes import THURSDAY, FakeClock
from hypothesis import given
from hypothesis import strategies as st
from loopback import FakeHostLimits, client
from werkzeug import Request, Response

from digestmail.errors import SourceRefusedError, SourceThrottledError, SourceUnreadableError
from digestmail.model.papers import Reading, Validators
from digestmail.sources.zotero_items import Zotero

LIBRARY = "groups/4711"
PATH = f"/{LIBRARY}/items/top"


def item(number: int = 1, *, added: str = "2026-04-01T08:00:00Z", meta: object = None, **data: object) -> dict:
    fields = {
        "key": f"KEY{number:05d}",
        "itemType": "preprint",
        "title": f"Quiet <i>rivers</i> {number}",
        "abstractNote": "We listen.",
        "creators": [
            {"creatorType": "author", "firstName": "Ada", "lastName": "Example"},
            {"creatorType": "author", "name": "The River Group"},
            {"creatorType": "editor", "firstName": "Ed", "lastName": "Itor"},
        ],
        "tags": [{"tag": "hydrology"}, {"tag": ""}],
        "dateAdded": added,
        **data,
    }
    links = {"alternate": {"href": f"https://www.zotero.org/groups/4711/items/KEY{number:05d}"}}
    return {"key": fields["key"], "version": 7, "links": links, "meta": meta or {}, "data": fields}


def page(*items: object, total: int | None = None, version: str = "7", **headers: str) -> Response:
    fields = {"Last-Modified-Version": version, "Total-Results": str(len(items) if total is None else total)}
    return Response(json.dumps(items), content_type="application/json", headers=fields | headers)


def serve(httpserver, *answers: Response, path: str = PATH) -> list[Request]:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    httpserver.expect_request(path).respond_with_handler(answer)
    return seen


def read(httpserver, *answers: Response, since=None, collection: str = "", path: str = PATH, **options) -> Reading:
    if answers:
        serve(httpserver, *answers, path=path)
    with client(**options) as http:
        source = Zotero(
            name="group", fetcher=http, library=LIBRARY, collection=collection, base_url=httpserver.url_for("/")
        )
        return source.read(THURSDAY, since)


def test_an_item_becomes_a_paper_of_the_day_on_which_it_was_added(httpserver):
    added = item(url="https://example.org/rivers", publicationTitle="River Letters", meta={"parsedDate": "2026-02-03"})
    (found,) = read(httpserver, page(added)).sightings
    assert found.paper.title == "Quiet rivers 1"
    assert found.paper.authors == ("Ada Example", "The River Group")
    assert found.paper.keywords == ("hydrology",)
    assert found.paper.organization == "River Letters"
    assert found.paper.link == "https://example.org/rivers"
    assert found.day == date(2026, 4, 1)
    assert found.paper.published_at == datetime(2026, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "paper_id"),
    [
        ({"archiveID": "arXiv:2604.00157", "DOI": "10.1000/xyz"}, "arxiv:2604.00157"),
        ({"DOI": "10.1000/XYZ"}, "doi:10.1000/xyz"),
        ({"extra": "Citation Key: x\nDOI: 10.1000/xyz\n"}, "doi:10.1000/xyz"),
        ({"url": "https://arxiv.org/abs/2604.00157v2"}, "arxiv:2604.00157"),
        ({"url": "not an address"}, "url:https://www.zotero.org/groups/4711/items/KEY00001"),
    ],
)
def test_an_item_is_the_paper_that_other_sources_know(httpserver, fields, paper_id):
    (found,) = read(httpserver, page(item(**fields))).sightings
    assert found.paper.id == paper_id


@pytest.mark.parametrize("parsed", ["2026", "2026-03", "2031-01-01", "soon", 7, None])
def test_a_date_of_publication_that_is_no_past_day_is_unknown(httpserver, parsed):
    (found,) = read(httpserver, page(item(meta={"parsedDate": parsed}))).sightings
    assert found.paper.published_at is None


def test_a_clock_that_is_ahead_does_not_keep_an_item_new_for_ever(httpserver):
    (found,) = read(httpserver, page(item(added="2031-01-01T00:00:00Z"))).sightings
    assert found.day == THURSDAY.date()


def test_it_reads_until_an_item_was_added_before_the_last_ten_days(httpserver):
    new = [item(n) for n in range(100)]
    old = item(200, added="2026-03-01T00:00:00Z")
    seen = serve(
        httpserver, page(*new, total=5_000), page(item(100), old, item(201, added="2026-02-01T00:00:00Z"), total=5_000)
    )
    found = read(httpserver)
    assert len(found.sightings) == 101
    assert (found.partial, len(found.skipped)) == (None, 0)
    assert [request.args["start"] for request in seen] == ["0", "100"]
    assert {(request.args["sort"], request.args["direction"]) for request in seen} == {("dateAdded", "desc")}


def test_what_was_missed_is_read_back_to_a_month(httpserver):
    old = item(2, added="2026-03-10T00:00:00Z")
    assert len(read(httpserver, page(item(), old)).sightings) == 1
    assert len(read(httpserver, since=THURSDAY - timedelta(days=28)).sightings) == 2


def test_a_collection_of_the_library_is_asked_for(httpserver):
    path = f"/{LIBRARY}/collections/ABCD2345/items/top"
    assert len(read(httpserver, page(item()), collection="ABCD2345", path=path).sightings) == 1


def test_an_unchanged_library_costs_one_request_without_a_body(httpserver):
    first = read(httpserver, page(item(), version="41"))
    (url, known), *_ = first.validators.items()
    assert known.version == "41"
    httpserver.clear()
    seen = serve(httpserver, Response(status=304, headers={"Last-Modified-Version": "41"}))
    again = read(httpserver, known={url: known})
    assert (again.unchanged, again.entries, len(seen)) == (True, 0, 1)
    assert seen[0].headers["If-Modified-Since-Version"] == "41"
    assert again.validators == {url: Validators(version="41")}


def test_only_the_first_page_is_conditional(httpserver):
    url = httpserver.url_for(f"{PATH}?format=json&sort=dateAdded&direction=desc&limit=100&start=0")
    seen = serve(httpserver, page(*[item(n) for n in range(100)], total=101), page(item(100), total=101))
    read(httpserver, known={url: Validators(version="40")})
    assert [request.headers.get("If-Modified-Since-Version") for request in seen] == ["40", None]


@pytest.mark.parametrize(
    "second", [Response(status=500), Response("[{", content_type="application/json"), Response("{}")]
)
def test_pages_that_came_are_kept_when_a_later_one_fails_and_the_version_is_not(httpserver, second):
    found = read(httpserver, page(*[item(n) for n in range(100)], total=101), second)
    assert len(found.sightings) == 100
    assert "only the first 100 entries" in (found.partial or "")
    assert found.validators == {}


def test_an_empty_page_before_the_end_ends_the_list(httpserver):
    assert read(httpserver, page(total=500)).partial is None


def test_bad_items_cost_nothing_but_themselves(httpserver):
    bad = [None, 7, {}, {"data": None}, item(2, added="yesterday"), item(3, title=None), item(4, itemType="note")]
    found = read(httpserver, page(*bad, item(), item(5, creators="x", tags={"tag": 1}, url=7, DOI=[])))
    assert len(found.sightings) == 2
    assert sorted(skip.reason for skip in found.skipped) == sorted(
        ["no date"] * 5 + ["no title", "no paper but a note"]
    )


def test_a_refusal_says_what_to_do_about_the_key(httpserver):
    with pytest.raises(SourceRefusedError, match="api_key_file is missing or wrong"):
        read(httpserver, Response(status=403))


def test_a_library_that_does_not_exist_says_so(httpserver):
    with pytest.raises(SourceRefusedError, match="does not know this library") as caught:
        read(httpserver, Response(status=404))
    assert caught.value.status == 404


def test_a_pause_that_zotero_asks_for_is_kept(httpserver):
    clock, limits = FakeClock(), FakeHostLimits()
    with pytest.raises(SourceThrottledError):
        read(httpserver, Response(status=429, headers={"Retry-After": "900"}), clock=clock, host_limits=limits)
    assert limits.blocked["localhost"] == THURSDAY + timedelta(seconds=900)


def test_a_backoff_that_comes_with_an_answer_is_kept(httpserver):
    limits = FakeHostLimits()
    found = read(httpserver, page(item(), Backoff="30"), host_limits=limits)
    assert len(found.sightings) == 1
    assert limits.blocked["localhost"] > THURSDAY


def test_an_answer_that_is_no_list_of_items_is_an_error(httpserver):
    with pytest.raises(SourceUnreadableError, match="not a list of items"):
        read(httpserver, Response("{}", content_type="application/json"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["data", "meta", "links", "title", "url", "creators", "dateAdded"]), inner)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_json_is_papers_records_set_aside_or_an_error(document):
    from fetching import ScriptedFetcher

    fetcher = ScriptedFetcher(lambda _request: json.dumps(document).encode())
    try:
        found = Zotero(name="x", fetcher=fetcher, library=LIBRARY).read(THURSDAY, None)
    except SourceUnreadableError:
        assert not isinstance(document, list)
        return
    assert all(one.paper.title.strip() for one in found.sightings)
