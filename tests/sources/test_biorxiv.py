from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fetching import ScriptedFetcher, in_order

from digestmail.errors import SourceRefusedError, SourceUnavailableError, SourceUnreadableError
from digestmail.model.papers import AnnounceType
from digestmail.sources.biorxiv import Biorxiv

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
NOTHING = json.dumps({"messages": [{"status": "no posts found"}], "collection": []}).encode()


def posted(number: int = 1, **fields: object) -> dict[str, object]:
    return {
        "doi": f"10.1101/2026.04.01.{number:06d}",
        "title": "Slow roots in dry soil",
        "authors": "Example, A. B.; Sample, C.",
        "author_corresponding_institution": "University of Somewhere",
        "date": "2026-04-01",
        "version": "1",
        "type": "new results",
        "category": "plant biology",
        "abstract": "We dug and looked.",
        "published": "NA",
        **fields,
    }


def page(*papers: object, total: object = None) -> bytes:
    message = {"status": "ok", "count": len(papers), "total": str(total if total is not None else len(papers))}
    return json.dumps({"messages": [message], "collection": papers}).encode()


def source(*outcomes: bytes | Exception, **options: Any) -> tuple[Biorxiv, ScriptedFetcher]:
    fetcher = ScriptedFetcher(in_order(*outcomes))
    return Biorxiv(name="bio", fetcher=fetcher, **options), fetcher


def only(paper: dict[str, object], **options: object):
    reading = source(page(paper), NOTHING, **options)[0].read(NOW, None)
    assert reading.skipped == ()
    (sighting,) = reading.sightings
    return sighting


def reasons(paper: object, **options: object) -> list[str]:
    return [one.reason for one in source(page(paper), NOTHING, **options)[0].read(NOW, None).skipped]


def test_a_paper_is_known_by_its_doi_without_version():
    sighting = only(posted(doi="10.1101/2026.04.01.000001v1"))
    paper = sighting.paper
    assert paper.id == "doi:10.1101/2026.04.01.000001"
    assert paper.link == "https://doi.org/10.1101/2026.04.01.000001"
    assert paper.authors == ("A. B. Example", "C. Sample")
    assert paper.keywords == ("plant biology",)
    assert paper.organization == "University of Somewhere"
    assert paper.published_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert sighting.day == date(2026, 4, 1)
    assert sighting.signals.announce_type is AnnounceType.NEW


def test_a_single_author_is_one():
    (sighting,) = source(page(posted(authors="Example, A.")), NOTHING)[0].read(NOW, None).sightings
    assert sighting.paper.authors == ("A. Example",)


def test_the_new_prefix_of_openrxiv_is_a_doi_too():
    assert only(posted(doi="10.64898/2026.04.01.000001")).paper.id == "doi:10.64898/2026.04.01.000001"


def test_new_versions_are_left_out_unless_they_are_wanted():
    assert reasons(posted(version="2")) == ["a new version of an earlier paper"]
    assert reasons(posted(version=3)) == ["a new version of an earlier paper"]
    revised = only(posted(version="2"), include_revisions=True)
    assert revised.signals.announce_type is AnnounceType.REPLACE
    assert revised.paper.published_at is None


def test_the_first_version_counts_if_a_later_one_is_listed_as_well():
    reading = source(page(posted(), posted(version="2")), NOTHING)[0].read(NOW, None)
    assert len(reading.sightings) == 1
    assert reading.entries == 2


@pytest.mark.parametrize("written", ["Plant Biology", "plant_biology", " plant  biology "])
def test_categories_are_compared_however_they_are_written(written):
    assert only(posted(), categories=[written]).paper.keywords == ("plant biology",)
    assert reasons(posted(), categories=["neuroscience"]) == ["category plant biology is left out"]


def test_a_withdrawn_paper_is_marked():
    assert only(posted(title="WITHDRAWN: Slow roots in dry soil")).paper.withdrawn
    assert only(posted(type="WITHDRAWN")).paper.withdrawn
    assert not only(posted()).paper.withdrawn


@pytest.mark.parametrize(
    ("paper", "reason"),
    [
        ({"title": "x"}, "doi: Field required"),
        ("x", "paper: Input should be a valid dictionary or instance of _Posted"),
        (posted(date="someday"), "date: Input should be a valid date or datetime, input is too short"),
        (posted(doi="none"), "no DOI and no address"),
        (posted(title=None), "no title"),
    ],
)
def test_one_bad_paper_is_set_aside(paper, reason):
    assert reasons(paper) == [reason]
    reading = source(page(paper, posted(7)), NOTHING)[0].read(NOW, None)
    assert [sighting.paper.id for sighting in reading.sightings] == ["doi:10.1101/2026.04.01.000007"]


def test_the_next_page_begins_after_what_was_received():
    full = page(*(posted(number) for number in range(30)), total=45)
    rest = page(*(posted(number) for number in range(30, 45)), total=45)
    bio, fetcher = source(full, rest, NOTHING)
    reading = bio.read(NOW, None)
    assert len(reading.sightings) == 45
    assert [request.url.rpartition("/")[2] for request in fetcher.requests] == ["0", "30", "45"]
    assert {request.min_interval for request in fetcher.requests} == {1.0}


def test_it_reads_two_days_back_and_what_was_missed_at_most_two_weeks():
    for since, first in (
        (None, "2026-03-31"),
        (NOW - timedelta(hours=3), "2026-03-31"),
        (NOW - timedelta(days=6), "2026-03-26"),
        (NOW - timedelta(days=90), "2026-03-19"),
    ):
        bio, fetcher = source(NOTHING, server="medrxiv")
        bio.read(NOW, since)
        assert fetcher.requests[0].url == f"https://api.biorxiv.org/details/medrxiv/{first}/2026-04-02/0"


def test_pages_that_were_read_are_kept_when_a_later_one_fails():
    reading = source(page(posted(), total=9), SourceUnavailableError("gone"))[0].read(NOW, None)
    assert len(reading.sightings) == 1
    assert reading.partial == "only the first 1 entries: gone"


def test_an_empty_page_before_the_end_makes_the_reading_partial():
    reading = source(page(posted(), total="9"), NOTHING)[0].read(NOW, None)
    assert reading.partial == "only the first 1 entries: the API gave 1 of 9 papers and then an empty page"


def test_the_first_page_must_be_readable():
    with pytest.raises(SourceUnavailableError):
        source(SourceUnavailableError("gone"))[0].read(NOW, None)
    with pytest.raises(SourceUnreadableError, match="has no collection"):
        source(b'{"messages": []}')[0].read(NOW, None)
    with pytest.raises(SourceUnreadableError, match="web page"):
        source(b"<html>")[0].read(NOW, None)
    with pytest.raises(SourceRefusedError, match="the API says: Invalid interval"):
        source(json.dumps({"messages": [{"status": "Invalid interval"}], "collection": []}).encode())[0].read(NOW, None)


def test_a_list_without_end_is_given_up():
    bio = Biorxiv(name="bio", fetcher=ScriptedFetcher(lambda _request: page(posted(), total=10**9)))
    assert "the list has no end" in (bio.read(NOW, None).partial or "")
