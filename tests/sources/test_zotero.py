"""Zotero libraries: what is asked for, what items become, and what no server can make of it."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeClock
from hypothesis import given
from hypothesis import strategies as st
from loopback import FakeHostLimits, answering, client, listening, ok
from werkzeug import Request, Response

from digestmail.errors import (
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from digestmail.sources.reading_list import ListedPaper, ListReading
from digestmail.sources.zotero import MOST_PAGES, ZoteroLibraries

LIBRARY = "users/4711"
PATH = f"/{LIBRARY}/items/top"
KEY = "made-up-key"


def item(title: object = "Quiet rivers", abstract: object = "We listen.", kind: str = "journalArticle", **data) -> dict:
    """Return an item as the API wraps it."""
    fields = {"key": "ABCD2345", "itemType": kind, "title": title, "abstractNote": abstract, **data}
    return {"key": "ABCD2345", "version": 7, "library": {"type": "user", "id": 4711}, "meta": {}, "data": fields}


def page(*items: object, total: int | None = None, version: object = 7, **headers: str) -> Response:
    fields = {"Last-Modified-Version": str(version), "Total-Results": str(len(items) if total is None else total)}
    return Response(json.dumps(items), content_type="application/json", headers=fields | headers)


def serve(httpserver, *answers: Response, path: str = PATH) -> list[Request]:
    """Give one answer after the other; the last one repeats."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    httpserver.expect_request(path).respond_with_handler(answer)
    return seen


def read(httpserver, validator: str = "", reference: str = LIBRARY, **options) -> ListReading:
    with client(**options) as http:
        return ZoteroLibraries(fetcher=http, base_url=httpserver.url_for("/")).read(reference, validator)


def failing(httpserver, **options) -> SourceError:
    with pytest.raises(SourceError) as caught:
        read(httpserver, **options)
    return caught.value


# -- what is asked for -----------------------------------------------------------------------------------------------


def test_it_asks_for_the_newest_items_of_version_3_with_the_key(httpserver):
    seen = serve(httpserver, page(item()))
    read(httpserver, headers={"Zotero-API-Key": KEY})
    (request,) = seen
    assert request.headers["Zotero-API-Version"] == "3"
    assert request.headers["Zotero-API-Key"] == KEY
    assert "If-Modified-Since-Version" not in request.headers
    assert dict(request.args) == {
        "format": "json", "sort": "dateAdded", "direction": "desc", "limit": "100", "start": "0"
    }  # fmt: skip


def test_a_group_has_a_path_of_its_own(httpserver):
    serve(httpserver, page(item()), path="/groups/12/items/top")
    assert len(read(httpserver, reference="groups/12").papers) == 1


def test_requests_are_at_least_a_second_apart(httpserver):
    serve(httpserver, page(*[item()] * 100, total=300))
    limits = FakeHostLimits()
    read(httpserver, host_limits=limits)
    moments = [moment for _, moment in limits.booked]
    assert [after - before for before, after in itertools.pairwise(moments)] == [timedelta(seconds=1)] * 2


# -- items -----------------------------------------------------------------------------------------------------------


def test_title_abstract_and_ids_are_kept(httpserver):
    serve(httpserver, page(item(archiveID="arXiv:2604.00157", DOI="10.1000/Quiet"), item("Loud rivers", "")))
    reading = read(httpserver)
    assert reading.papers == (
        ListedPaper(title="Quiet rivers", abstract="We listen.", ids=("arxiv:2604.00157", "doi:10.1000/quiet")),
        ListedPaper(title="Loud rivers"),
    )
    assert reading.validator == "7"
    assert not reading.skipped


@pytest.mark.parametrize(
    "data",
    [
        {"url": "https://arxiv.org/abs/2604.00157v2"},
        {"url": "http://arxiv.org/abs/2604.00157"},
        {"extra": "Citation Key: quiet26\narXiv:2604.00157 [cs.LG]"},
        {"DOI": "10.48550/arXiv.2604.00157"},
        {"extra": "tldr: short\nDOI: 10.48550/arXiv.2604.00157"},
    ],
)
def test_an_arxiv_id_is_found_wherever_people_have_it(httpserver, data):
    serve(httpserver, page(item(**data)))
    (paper,) = read(httpserver).papers
    assert "arxiv:2604.00157" in paper.ids


def test_markup_and_tex_become_text(httpserver):
    serve(httpserver, page(item("On <i>E. coli</i> and $x^{2}$", "<jats:p>We   test\n p &lt; 0.05.</jats:p>")))
    (paper,) = read(httpserver).papers
    assert paper.title == "On E. coli and x²"
    assert paper.abstract == "We test p < 0.05."


def test_notes_and_attachments_are_no_papers_and_no_faults(httpserver):
    serve(httpserver, page(item("Scan", kind="attachment"), {"data": {"itemType": "note", "note": "<p>x</p>"}}, item()))
    reading = read(httpserver)
    assert [paper.title for paper in reading.papers] == ["Quiet rivers"]
    assert not reading.skipped


@pytest.mark.parametrize(
    "broken",
    [
        None, 7, "text", [], {}, {"data": None}, {"data": []}, {"data": "x"}, item(None), item(7), item(["a"]),
        item("  "), item("\x00\x01"), {"data": {"itemType": "case", "caseName": "A v. B"}}, item("<p></p>"),
    ],
)  # fmt: skip
def test_a_broken_item_is_set_aside_and_counted(httpserver, broken):
    serve(httpserver, page(broken, item()))
    reading = read(httpserver)
    assert [paper.title for paper in reading.papers] == ["Quiet rivers"]
    assert len(reading.skipped) == 1
    assert "record 1" in reading.skipped[0].entry


def test_fields_of_a_wrong_type_count_as_missing(httpserver):
    serve(httpserver, page(item(abstract=["x"], DOI=7, url={}, extra=None, archiveID=[])))
    assert read(httpserver).papers == (ListedPaper(title="Quiet rivers"),)


def test_endless_texts_are_cut(httpserver):
    serve(httpserver, page(item("long " * 100_000, "word " * 100_000, extra="x\n" * 100_000)))
    (paper,) = read(httpserver, max_body_bytes=5_000_000).papers
    assert len(paper.title) <= 1_000
    assert len(paper.abstract) <= 20_000


# -- pages -----------------------------------------------------------------------------------------------------------


def test_pages_follow_each_other_by_what_came(httpserver):
    parts = [
        [item(f"Part {number}") for number in range(low, high)] for low, high in ((0, 100), (100, 160), (160, 170))
    ]
    seen = serve(httpserver, *[page(*part, total=170) for part in parts])
    reading = read(httpserver)
    assert [request.args["start"] for request in seen] == ["0", "100", "160"]
    assert len(reading.papers) == 170


def test_without_a_total_a_short_page_is_the_last(httpserver):
    full, short = page(*[item()] * 100), page(item())
    for response in (full, short):
        del response.headers["Total-Results"]
    assert len(serve(httpserver, full, short)) == 0
    assert len(read(httpserver).papers) == 101


def test_an_empty_page_is_the_last_whatever_the_total_says(httpserver):
    seen = serve(httpserver, page(*[item()] * 100, total=10**9), page(total=10**9))
    assert len(read(httpserver).papers) == 100
    assert len(seen) == 2


def test_the_newest_five_hundred_are_kept_and_no_more_is_asked_for(httpserver):
    seen = serve(httpserver, page(*[item()] * 100, total=100_000))
    assert len(read(httpserver).papers) == 500
    assert len(seen) == 5


def test_pages_that_never_end_end(httpserver):
    seen = serve(httpserver, page(*[item("Scan", kind="attachment")] * 100, total=10**9))
    assert read(httpserver).papers == ()
    assert len(seen) == MOST_PAGES


def test_a_link_to_the_next_page_is_not_followed(httpserver):
    link = '<http://169.254.169.254/latest>; rel="next"'
    seen = serve(httpserver, page(*[item()] * 100, total=101, Link=link), page(item(), total=101))
    assert len(read(httpserver).papers) == 101
    assert len(seen) == 2


def test_the_version_of_the_first_page_counts(httpserver):
    serve(httpserver, page(*[item()] * 100, total=101, version=7), page(item(), total=101, version=8))
    assert read(httpserver).validator == "7"


@pytest.mark.parametrize("version", ["", "seven", "-1", "7" * 40, "7\u00b2"])
def test_a_version_that_is_no_number_is_not_kept(httpserver, version):
    response = page(item())
    response.headers["Last-Modified-Version"] = version.encode("utf-8").decode("latin-1")
    serve(httpserver, response)
    assert read(httpserver).validator == ""


def test_an_unchanged_library_is_not_transferred(httpserver):
    seen = serve(httpserver, Response(status=304, headers={"Last-Modified-Version": "7"}))
    assert read(httpserver, "7") == ListReading(unchanged=True, validator="7")
    assert seen[0].headers["If-Modified-Since-Version"] == "7"


def test_only_the_first_page_is_conditional(httpserver):
    seen = serve(httpserver, page(*[item()] * 100, total=101), page(item(), total=101))
    read(httpserver, "6")
    assert ["If-Modified-Since-Version" in request.headers for request in seen] == [True, False]


def test_a_304_that_nobody_asked_for_is_unreadable(httpserver):
    serve(httpserver, Response(status=304))
    assert isinstance(failing(httpserver), SourceUnreadableError)


# -- faults ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refusal_is_an_error_with_its_status_and_without_the_key(httpserver, status):
    seen = serve(httpserver, Response("Invalid key", status=status))
    error = failing(httpserver, headers={"Zotero-API-Key": KEY})
    assert type(error) is SourceRefusedError
    assert error.status == status
    assert KEY not in str(error)
    assert len(seen) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_in_trouble_is_unavailable(httpserver, status):
    serve(httpserver, Response("oops", status=status))
    error = failing(httpserver)
    assert isinstance(error, SourceUnavailableError)
    assert error.status == status


def test_too_many_requests_are_answered_by_a_pause_and_one_more_try(httpserver):
    seen = serve(httpserver, Response(status=429, headers={"Retry-After": "4"}), page(item()))
    clock = FakeClock()
    assert len(read(httpserver, clock=clock).papers) == 1
    assert len(seen) == 2
    assert clock.now() - THURSDAY >= timedelta(seconds=4)


def test_a_long_pause_ends_the_reading_and_is_kept_for_everyone(httpserver):
    serve(httpserver, Response(status=429, headers={"Retry-After": "3600"}))
    limits = FakeHostLimits()
    error = failing(httpserver, host_limits=limits)
    assert isinstance(error, SourceThrottledError)
    assert error.status == 429
    assert limits.blocked["localhost"] >= THURSDAY + timedelta(hours=1)


def test_a_pause_asked_for_between_two_pages_is_kept(httpserver):
    serve(httpserver, page(*[item()] * 100, total=101, Backoff="30"), page(item(), total=101))
    clock = FakeClock()
    assert len(read(httpserver, clock=clock).papers) == 101
    assert clock.now() - THURSDAY >= timedelta(seconds=30)


def test_a_library_that_was_begun_counts_as_tried_when_a_long_pause_is_asked_for(httpserver):
    serve(httpserver, page(*[item()] * 100, total=101, Backoff="3000"))
    error = failing(httpserver)
    assert not isinstance(error, SourceThrottledError)
    assert "only the first 100 items" in str(error)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('[{"data": {"title": "Cut o', "not JSON"),
        ("", "it is empty"),
        ("<html><title>Down</title>", "it begins with"),
        ("{}", "not a list of items but a JSON dict"),
        ("null", "not a list of items but a JSON NoneType"),
        ('"x"', "not a list of items but a JSON str"),
        ("[" * 100_000, "not JSON"),
        ("[" + "{}," * 300_000 + "{}]", "too expensive"),
        ("[" + "9" * 5_000 + "]", "not JSON"),
    ],
)
def test_an_answer_that_is_no_list_of_items_is_an_error_that_says_so(httpserver, body, said):
    serve(httpserver, Response(body, content_type="application/json"))
    error = failing(httpserver, max_body_bytes=5_000_000)
    assert isinstance(error, SourceUnreadableError)
    assert said in str(error)


def test_a_body_that_is_cut_off_is_no_library():
    cut = ok(b"[" + json.dumps(item()).encode())[:-40]
    with listening(answering(cut)) as server, client() as http, pytest.raises(SourceError):
        ZoteroLibraries(fetcher=http, base_url=f"http://127.0.0.1:{server.port}").read(LIBRARY)


def test_a_huge_answer_is_refused_before_it_is_complete(httpserver):
    serve(httpserver, page(item("x" * 200_000)))
    assert "larger than" in str(failing(httpserver, max_body_bytes=100_000))


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest", "http://10.1.2.3/", "http://[::1]:1/", "file:///etc"]
)
def test_a_redirect_into_a_private_network_is_refused(httpserver, location):
    serve(httpserver, Response(status=302, headers={"Location": location}))
    assert isinstance(failing(httpserver, allowed=(f"localhost:{httpserver.port}",)), SourceRefusedError)


def test_the_key_is_not_sent_to_where_a_redirect_leads():
    there: list[bytes] = []
    with listening(answering(ok(b"[]"), log=there)) as other:
        moved = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://localhost:{other.port}/\r\n\r\n".encode()
        with listening(answering(moved)) as server:
            allowed = (f"127.0.0.1:{server.port}", f"localhost:{other.port}")
            with client(allowed=allowed, headers={"Zotero-API-Key": KEY}) as http:
                ZoteroLibraries(fetcher=http, base_url=f"http://127.0.0.1:{server.port}").read(LIBRARY)
    assert KEY.encode() not in there[0]


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["data", "itemType", "title", "abstractNote", "extra", "DOI"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(_JSON)
def test_any_json_is_papers_records_set_aside_or_an_error(document):
    from fetching import ScriptedFetcher

    fetcher = ScriptedFetcher(lambda _request: json.dumps(document).encode())
    try:
        reading = ZoteroLibraries(fetcher=fetcher).read(LIBRARY)
    except SourceUnreadableError:
        assert not isinstance(document, list)
        return
    assert all(paper.title.strip() for paper in reading.papers)
