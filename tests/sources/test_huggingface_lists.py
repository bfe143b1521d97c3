"""Trending papers and searches at Hugging Face: the same papers as the daily ones, with dates of their own."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from fetching import ScriptedFetcher, in_order

from digestmail.errors import SourceUnavailableError, SourceUnreadableError
from digestmail.model.papers import Reading, Signals
from digestmail.selection.newness import candidates
from digestmail.sources.huggingface import HuggingFace
from digestmail.storage import papers

NOW = datetime(2026, 4, 2, 11, 0, tzinfo=UTC)
TODAY = NOW.date()


def item(number: int, *, upvotes: object = 12, daily: str | None = None, published: str | None = "2026-03-01") -> dict:
    paper = {
        "id": f"2603.{number:05d}",
        "title": f"Routes {number}",
        "summary": "We take the shorter way.",
        "authors": [{"name": "Ada Example"}],
        "upvotes": upvotes,
    }
    if published:
        paper["publishedAt"] = f"{published}T10:00:00.000Z"
    if daily:
        paper["submittedOnDailyAt"] = f"{daily}T01:00:00.000Z"
    return {"paper": paper, "title": paper["title"], "numComments": 3}


def read(*outcomes: object, now: datetime = NOW, name: str = "hub", **options) -> tuple[Reading, ScriptedFetcher]:
    bodies = [
        one if one is None or isinstance(one, (bytes, Exception)) else json.dumps(one).encode() for one in outcomes
    ]
    fetcher = ScriptedFetcher(in_order(*bodies))
    return HuggingFace(name=name, fetcher=fetcher, **options).read(now, None), fetcher


def test_a_trending_paper_is_dated_when_it_trends_with_the_counts_of_now():
    found, fetcher = read([item(1, daily="2026-03-03")], list="trending")
    (sighting,) = found.sightings
    assert (sighting.paper.id, sighting.day) == ("arxiv:2603.00001", TODAY)
    assert sighting.signals == Signals(upvotes=12, comments=3)
    (request,) = fetcher.requests
    # With a date, the server would ignore it.
    assert request.query == {"sort": "trending", "limit": "50"}
    assert request.min_interval == 1.0


def test_an_unchanged_list_is_unchanged_and_an_empty_one_is_empty():
    unchanged, _ = read(None, list="trending")
    assert unchanged.unchanged
    assert unchanged.validators
    empty, _ = read([], list="trending")
    assert (empty.entries, empty.unchanged, empty.partial) == (0, False, None)


def test_a_bad_item_costs_nothing_but_itself():
    found, _ = read([None, {}, {"paper": {"id": "2603.1"}}, {"paper": 7}, item(1, upvotes="many")], list="trending")
    assert [one.signals.upvotes for one in found.sightings] == [None]
    assert len(found.skipped) == 4


@pytest.mark.parametrize("options", [{"list": "trending"}, {"query": "agents"}])
def test_a_list_that_cannot_be_read_is_an_error(options):
    for outcome, error in ((SourceUnavailableError("500"), SourceUnavailableError), ({}, SourceUnreadableError)):
        with pytest.raises(error):
            read(outcome, **options)
    with pytest.raises(SourceUnreadableError):
        read(b"[{", **options)


def test_a_search_dates_papers_by_the_daily_page_or_arxiv_and_skips_old_ones():
    found, fetcher = read(
        [
            item(1, daily="2026-04-01", published="2026-01-05"),
            item(2, published="2026-03-30"),
            item(3, published="2024-03-30"),
            item(4, published=None),
            item(5, published="2026-03-31")["paper"],
        ],
        query="retrieval & tools",
    )
    days = {one.paper.id: one.day for one in found.sightings}
    assert days == {
        "arxiv:2603.00001": date(2026, 4, 1),
        "arxiv:2603.00002": date(2026, 3, 30),
        "arxiv:2603.00005": date(2026, 3, 31),
    }
    assert sorted(skip.reason for skip in found.skipped) == ["an older paper", "no date"]
    assert found.entries == 5
    assert fetcher.requests[0].url == "https://huggingface.co/api/papers/search?q=retrieval+%26+tools"


def test_daily_and_trending_give_one_paper_that_is_news_again_when_it_trends(database):
    later = NOW + timedelta(days=9)
    daily, _ = read(*[[item(1, daily="2026-04-02", upvotes=10)], [], []], name="daily")
    again, _ = read([item(1, daily="2026-04-02", upvotes=95)], name="trending", list="trending", now=later)
    with database.begin() as connection:
        assert papers.add_sightings(connection, daily.sightings, NOW).new == 1
        added = papers.add_sightings(connection, again.sightings, later)
        assert (added.new, len(added.unseen)) == (0, 1)
        since = later - timedelta(days=2)
        mentioned = papers.mentioned(connection, ["daily", "trending"], since, later)
        (candidate,) = candidates(mentioned, {"daily", "trending"}, since)
        assert (candidate.paper.id, candidate.day, candidate.came_at) == ("arxiv:2603.00001", later.date(), later)
        assert (candidate.signals.upvotes, candidate.earlier.upvotes) == (95, 10)
        # Still trending a week later: no news any more.
        still, _ = read([item(1, upvotes=99)], name="trending", list="trending", now=later + timedelta(days=7))
        papers.add_sightings(connection, still.sightings, later + timedelta(days=7))
        since = later + timedelta(days=5)
        mentioned = papers.mentioned(connection, ["daily", "trending"], since, later + timedelta(days=7))
        assert list(candidates(mentioned, {"daily", "trending"}, since)) == []
