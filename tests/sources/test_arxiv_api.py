from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import pytest
from fetching import Request, ScriptedFetcher, in_order
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digestmail.errors import (
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnavailableError,
    SourceUnreadableError,
)
from digestmail.model.papers import Origin, Reading, Sighting
from digestmail.schedule.arxiv_calendar import announcement_day
from digestmail.sources import arxiv_api
from digestmail.sources.arxiv_api import ArxivApi, parse_api_page, search_query, window

NOW = datetime(2026, 4, 2, 11, 30, tzinfo=UTC)


def entry(number: int = 1, **fields: str) -> str:
    values = {
        "id": f"http://arxiv.org/abs/2604.{number:05d}v2",
        "title": "Routes of\n  $\\mathcal{O}(n)$",
        "summary": "  We take\n  the shorter way. ",
        "published": "2026-03-31T17:59:01Z",
        "more": "",
        **fields,
    }
    return (
        f"<entry><id>{values['id']}</id><title>{escape(values['title'])}</title><updated>2026-04-01T09:00:00Z</updated>"
        f'<link href="{values["id"]}" rel="alternate" type="text/html"/><summary>{escape(values["summary"])}</summary>'
        '<category term="stat.ML" scheme="http://arxiv.org/schemas/atom"/>'
        '<category term="cs.LG" scheme="http://arxiv.org/schemas/atom"/>'
        f"<published>{values['published']}</published>{values['more']}"
        '<arxiv:primary_category term="cs.LG"/>'
        "<author><name>Ada Lovelace</name><arxiv:affiliation>Analytical Engines, Inc.</arxiv:affiliation></author>"
        "<author><name>Emmy Noether</name></author></entry>"
    )


def answer(*entries: str, total: int | str | None = None) -> bytes:
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" '
        'xmlns="http://www.w3.org/2005/Atom"><id>https://arxiv.org/api/x</id><title>arXiv Query</title>'
        "<updated>2026-04-02T11:00:00Z</updated><opensearch:itemsPerPage>10</opensearch:itemsPerPage>"
        f"<opensearch:totalResults>{len(entries) if total is None else total}</opensearch:totalResults>"
        f"<opensearch:startIndex>0</opensearch:startIndex>{''.join(entries)}</feed>"
    ).encode()


def sighting_in(body: bytes) -> Sighting:
    (result,) = parse_api_page(body, source="api").results
    assert isinstance(result, Sighting)
    return result


def library(size: int) -> Callable[[Request], bytes]:
    """Return a script that pages through `size` papers as arXiv does."""

    def script(request: Request) -> bytes:
        start, count = int(request.query["start"]), int(request.query["max_results"])
        return answer(*(entry(number) for number in range(start + 1, min(start + count, size) + 1)), total=size)

    return script


def api(script: Callable[[Request], bytes | Exception | None], **options: object) -> tuple[ArxivApi, ScriptedFetcher]:
    fetcher = ScriptedFetcher(script)
    return ArxivApi(**{"name": "api", "fetcher": fetcher, "categories": ("cs.LG",), **options}), fetcher


def read(script: Callable[[Request], bytes | Exception | None], **options: object) -> tuple[Reading, ScriptedFetcher]:
    source, fetcher = api(script, **options)
    return source.read(NOW, None), fetcher


def starts(fetcher: ScriptedFetcher) -> list[str]:
    return [request.query["start"] for request in fetcher.requests]


# -- one entry --------------------------------------------------------------------------------------------------------


def test_it_reads_an_entry():
    more = "<arxiv:comment>12 pages</arxiv:comment><arxiv:doi>10.1000/Routes.7</arxiv:doi>"
    sighting = sighting_in(answer(entry(more=more)))
    paper = sighting.paper
    assert paper.id == "arxiv:2604.00001"
    assert paper.aliases == ("doi:10.1000/routes.7",)
    assert paper.link == "https://arxiv.org/abs/2604.00001"
    assert paper.origin is Origin.ARXIV
    assert paper.abstract == "We take the shorter way."
    assert paper.title.startswith("Routes of ")
    assert "\n" not in paper.title
    assert paper.comment == "12 pages"
    assert paper.published_at == datetime(2026, 3, 31, 17, 59, 1, tzinfo=UTC)
    assert sighting.day == announcement_day(paper.published_at)


def test_affiliations_are_no_authors():
    assert sighting_in(answer(entry())).paper.authors == ("Ada Lovelace", "Emmy Noether")


def test_the_primary_category_comes_first_and_stands_once():
    assert sighting_in(answer(entry())).paper.categories == ("cs.LG", "stat.ML")


def test_msc_and_acm_classes_are_no_categories():
    more = (
        '<category term="68T05 (Primary);&#10; 62M10, 05C80 (Secondary)" scheme="http://arxiv.org/schemas/atom"/>'
        '<category term="I.2.6; F.2" scheme="http://arxiv.org/schemas/atom"/><category/>'
    )
    assert sighting_in(answer(entry(more=more))).paper.categories == ("cs.LG", "stat.ML")


def test_an_old_id_keeps_its_archive():
    paper = sighting_in(answer(entry(id="http://arxiv.org/abs/astro-ph/0601001v1"))).paper
    assert (paper.id, paper.link) == ("arxiv:astro-ph/0601001", "https://arxiv.org/abs/astro-ph/0601001")


@pytest.mark.parametrize(
    "fields",
    [
        {"summary": "This paper has been withdrawn by the authors because of an error."},
        {"more": "<arxiv:comment>This paper has been withdrawn</arxiv:comment>"},
    ],
)
def test_a_withdrawn_paper_says_so(fields):
    assert sighting_in(answer(entry(**fields))).paper.withdrawn
    assert not sighting_in(answer(entry())).paper.withdrawn


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (entry(id="http://example.org/1"), "no arXiv id"),
        (entry(published="yesterday"), "no submission date"),
        (entry(published="0001-01-01T00:00:00Z"), "no submission date"),
        (entry(published="9999-12-31T23:59:59-12:00"), "no submission date"),
        (entry(title=" "), "no title"),
    ],
)
def test_one_bad_entry_is_skipped_with_its_reason_and_the_rest_is_kept(broken, reason):
    reading, _ = read(in_order(answer(broken, entry(2))))
    assert [skip.reason for skip in reading.skipped] == [reason]
    assert (reading.entries, len(reading.sightings), reading.partial) == (2, 1, None)


# -- answers that are not what they should be -------------------------------------------------------------------------


@pytest.mark.parametrize("words", [b"Rate exceeded.", b"\nrate exceeded\n"])
def test_rate_exceeded_with_status_200_is_throttling(words):
    with pytest.raises(SourceThrottledError):
        parse_api_page(words, source="api")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_error_entry_is_a_refusal_in_arxivs_words(scheme):
    error = entry(
        id=f"{scheme}://arxiv.org/api/errors#incorrect_id_format_for_abc",
        title="Error",
        summary="incorrect id format for abc",
    )
    with pytest.raises(SourceRefusedError, match="arXiv says: incorrect id format for abc"):
        parse_api_page(answer(error), source="api")


@pytest.mark.parametrize("status", [403, 406])
def test_forbidden_and_not_acceptable_mean_throttled_here(status):
    with pytest.raises(SourceThrottledError) as caught:
        read(in_order(SourceRefusedError("no", status=status)))
    assert caught.value.status == status


def test_another_refusal_stays_one():
    with pytest.raises(SourceRefusedError):
        read(in_order(SourceRefusedError("bad request", status=400)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>maintenance</body></html>",
        b"\x00\xff<html><p>maintenance",
        b'<rss version="2.0"><channel><title>another feed</title></channel></rss>',
        answer(entry(), total="many"),
        answer(entry(), total="²"),
        answer(entry(), total="1" * 5000),
        b"<!DOCTYPE feed [<!ENTITY a 'b'>]>" + answer(entry()),
    ],
)
def test_what_is_no_answer_of_the_api_is_unreadable(body):
    with pytest.raises(SourceUnreadableError):
        parse_api_page(body, source="api")


@settings(deadline=None)
@given(st.data())
def test_whatever_is_done_to_its_bytes_nothing_but_a_source_error_comes_out(data):
    body = bytearray(answer(entry(1), entry(2)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=12))
    try:
        parse_api_page(bytes(body), source="api")
    except SourceError:
        return


# -- what is asked ----------------------------------------------------------------------------------------------------


def test_it_asks_for_the_newest_submissions_of_its_categories():
    _, fetcher = read(library(2), categories=("cs.LG", "stat"), query="abs:routing", page_size=7)
    (request,) = fetcher.requests
    assert request.url.startswith("https://export.arxiv.org/api/query?")
    assert request.query == {
        "search_query": "(cat:cs.LG OR cat:stat.*) AND (abs:routing) AND submittedDate:[202603260000 TO 202604022359]",
        "sortBy": "submittedDate",
        "sortOrder": "descending",
        "start": "0",
        "max_results": "7",
    }
    assert request.min_interval == 3.0
    assert request.accept == "application/atom+xml"


def test_a_query_may_do_without_categories():
    assert search_query((), "ti:x", NOW, NOW) == "(ti:x) AND submittedDate:[202604021130 TO 202604021130]"


@pytest.mark.parametrize(
    ("since", "start"),
    [
        (None, datetime(2026, 3, 26, tzinfo=UTC)),
        (NOW - timedelta(hours=2), datetime(2026, 3, 29, tzinfo=UTC)),
        (NOW - timedelta(days=9), datetime(2026, 3, 20, tzinfo=UTC)),
        (NOW - timedelta(days=400), datetime(2026, 3, 15, tzinfo=UTC)),
    ],
)
def test_the_window_reaches_back_over_the_days_missed_and_the_lag_of_announcements(since, start):
    assert window(NOW, since) == (start, datetime(2026, 4, 2, 23, 59, tzinfo=UTC))


@given(
    st.datetimes(datetime(2026, 1, 5), datetime(2026, 12, 31)),  # noqa: DTZ001 - hypothesis wants them naive
    st.integers(0, 14 * 24),
    st.integers(-9 * 24, 14 * 24),
)
@example(datetime(2026, 12, 29, 4), 5, -4 * 24 - 9)  # noqa: DTZ001 - submitted on Thursday, deferred twice
def test_whatever_was_announced_while_the_machine_was_off_is_in_the_window(last, off, submitted):
    since = last.replace(tzinfo=UTC)
    now, moment = since + timedelta(hours=off), since + timedelta(hours=submitted)
    begin, end = window(now, since)
    if moment <= now and announcement_day(moment) >= since.astimezone(ZoneInfo("America/New_York")).date():
        assert begin <= moment <= end


@pytest.mark.parametrize("days", [1, 3, 10, 14])
def test_an_outage_of_days_is_filled_page_by_page(days):
    """Papers are submitted every ten minutes and shown once they are announced; the machine is off for some days."""
    since = datetime(2026, 12, 21, 5, 30, tzinfo=UTC)
    now = since + timedelta(days=days)
    eastern = ZoneInfo("America/New_York")
    submitted = [since + timedelta(minutes=10 * n) for n in range(-10 * 144, days * 144)]
    shown = [moment for moment in submitted if announcement_day(moment) <= now.astimezone(eastern).date()]
    ids = {moment: f"http://arxiv.org/abs/2612.{number:05d}v1" for number, moment in enumerate(submitted)}

    def script(request: Request) -> bytes:
        begin, end = re.findall(r"\d{12}", request.query["search_query"])
        found = [one for one in reversed(shown) if begin <= f"{one:%Y%m%d%H%M}" <= end]
        start, size = int(request.query["start"]), int(request.query["max_results"])
        page = [entry(id=ids[one], published=f"{one:%Y-%m-%dT%H:%M:%SZ}") for one in found[start : start + size]]
        return answer(*page, total=len(found))

    source, fetcher = api(script)
    reading = source.read(now, since)
    missed = [one for one in shown if announcement_day(one) > since.astimezone(eastern).date()]
    got = {sighting.paper.id: sighting.day for sighting in reading.sightings}
    assert reading.partial is None
    assert {f"arxiv:2612.{submitted.index(one):05d}": announcement_day(one) for one in missed}.items() <= got.items()
    assert len(fetcher.requests) <= len(got) // 500 + 1


def test_the_same_day_asks_the_same_so_that_not_modified_can_be_said():
    assert window(NOW, NOW) == window(NOW + timedelta(hours=5), NOW + timedelta(hours=2))
    reading, fetcher = read(in_order(None))
    assert fetcher.requests[0].conditional
    assert reading.unchanged
    assert reading.categories == ("cs.LG",)


# -- paging -----------------------------------------------------------------------------------------------------------


def test_it_pages_until_it_has_everything():
    reading, fetcher = read(library(25), page_size=10)
    assert starts(fetcher) == ["0", "10", "20"]
    assert [request.conditional for request in fetcher.requests] == [True, False, False]
    assert len(reading.sightings) == reading.entries == 25
    assert reading.partial is None
    assert set(reading.validators) == {fetcher.requests[0].url}


def test_it_advances_by_what_it_received():
    pages = {0: range(1, 5), 4: range(5, 8), 7: range(8, 13)}
    reading, fetcher = read(
        lambda request: answer(*map(entry, pages[int(request.query["start"])]), total=12), page_size=10
    )
    assert starts(fetcher) == ["0", "4", "7"]
    assert (len(reading.sightings), reading.partial) == (12, None)


def test_a_cut_page_counts_for_its_whole_entries_only():
    whole = answer(*map(entry, range(1, 5)), total=4)
    cut = whole[: whole.rindex(b"<summary>") + 20]
    reading, fetcher = read(in_order(cut, answer(entry(4), total=4)))
    assert starts(fetcher) == ["0", "3"]
    assert (len(reading.sightings), reading.partial) == (4, None)
    assert all(sighting.paper.abstract == "We take the shorter way." for sighting in reading.sightings)


def test_an_empty_page_before_the_end_is_asked_for_once_more():
    reading, fetcher = read(in_order(answer(entry(1), total=2), answer(total=2), answer(entry(2), total=2)))
    assert starts(fetcher) == ["0", "1", "1"]
    assert (len(reading.sightings), reading.partial) == (2, None)


def test_a_page_that_stays_empty_makes_the_reading_partial():
    reading, fetcher = read(in_order(answer(entry(1), total=2), answer(total=2), answer(total=2)))
    assert starts(fetcher) == ["0", "1", "1"]
    assert reading.partial == "arXiv gave 1 of 2 entries and then an empty page, twice"
    assert reading.validators == {}, "a partial reading must not be answered by 'not modified' next time"


def test_an_empty_first_page_is_asked_for_once_more_too():
    reading, fetcher = read(in_order(answer(total=1), answer(entry(1), total=1)))
    assert len(fetcher.requests) == 2
    assert not fetcher.requests[1].conditional
    assert len(reading.sightings) == 1


def test_nothing_submitted_is_no_trouble():
    reading, fetcher = read(in_order(answer(total=0)))
    assert (reading.entries, reading.partial, len(fetcher.requests)) == (0, None, 1)


@pytest.mark.parametrize("trouble", [SourceUnavailableError("nobody answers"), b"Rate exceeded.", b"<html>"])
def test_a_page_that_fails_after_others_makes_the_reading_partial(trouble):
    reading, _ = read(in_order(answer(entry(1), total=2), trouble))
    assert len(reading.sightings) == 1
    assert reading.partial is not None
    assert reading.partial.startswith("only the first 1 of 2 entries: ")


def test_when_nothing_could_be_read_the_error_is_the_answer():
    with pytest.raises(SourceThrottledError):
        read(in_order(b"Rate exceeded."))


def test_it_never_asks_beyond_what_arxiv_hands_out(monkeypatch):
    assert arxiv_api.RESULT_LIMIT == 30_000
    monkeypatch.setattr(arxiv_api, "RESULT_LIMIT", 30)

    def script(request: Request) -> bytes:
        start, count = int(request.query["start"]), int(request.query["max_results"])
        assert start + count <= 30
        return answer(*(entry(number) for number in range(start + 1, start + count + 1)), total=35)

    reading, fetcher = read(script, page_size=19)
    assert starts(fetcher) == ["0", "19"]
    assert reading.entries == 30
    assert reading.partial == "arXiv hands out at most 30 of 35 results"


def test_pages_of_one_entry_do_not_keep_it_busy_for_ever():
    reading, fetcher = read(
        lambda request: answer(entry(int(request.query["start"]) + 1), total=5_000), page_size=1_000
    )
    assert len(fetcher.requests) < 30
    assert reading.partial is not None
    assert reading.partial.endswith("the pages are too short")


def test_an_entry_that_moved_to_the_next_page_is_one_sighting():
    reading, _ = read(in_order(answer(entry(1), entry(2), total=4), answer(entry(2), entry(3), total=4)))
    assert [sighting.paper.id[-1] for sighting in reading.sightings] == ["1", "2", "3"]
    assert [skip.reason for skip in reading.skipped] == ["listed more than once"]
    assert reading.entries == 4
