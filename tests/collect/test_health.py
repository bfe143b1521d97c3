from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fakes import THURSDAY, reading, sighting

from digestmail.collect.health import judge
from digestmail.model.papers import Health, SourceHealth


def previous(fresh_at: datetime, *categories: str) -> dict[str, SourceHealth]:
    return {
        name: SourceHealth(
            source="hf", category=name, health=Health.FRESH, detail="", read_at=fresh_at, fresh_at=fresh_at
        )
        for name in ("", *categories)
    }


THANKSGIVING = datetime(2026, 11, 26, 12, tzinfo=UTC)
BLACK_FRIDAY = THANKSGIVING + timedelta(days=1)


def at(day: int, hour: int = 8) -> datetime:
    return datetime(2026, 4, day, hour, tzinfo=UTC)


def test_unseen_papers_make_a_reading_fresh():
    said = reading(sighting(1), sighting(2))
    (row,) = judge(said, {said.sightings[0].paper.id}, {}, THURSDAY)
    assert (row.health, row.detail, row.fresh_at) == (Health.FRESH, "1 new of 2 papers", THURSDAY)


def test_each_category_is_judged_on_its_own():
    said = reading(
        sighting(1, categories=("cs.LG",)), sighting(2, categories=("cs.CL",)), categories=("cs.LG", "cs.CL")
    )
    whole, learning, language = judge(said, {said.sightings[0].paper.id}, previous(at(1), "cs.LG", "cs.CL"), at(2))
    assert (whole.health, learning.health, language.health) == (Health.FRESH, Health.FRESH, Health.STALE)
    assert "an announcement was due on Thu 02 Apr" in language.detail


@pytest.mark.parametrize(
    ("now", "fresh_at", "papers", "health", "says"),
    [
        (at(4), at(3), 0, Health.NOTHING_ANNOUNCED, "arXiv announced nothing on 2026-04-04 (weekend)"),
        (at(2), at(2, 6), 1, Health.FRESH, "the batch of Thu 02 Apr is read"),
        (at(3), at(2), 1, Health.STALE, "due on Fri 03 Apr"),
        (at(3), at(2), 0, Health.NOTHING_ANNOUNCED, "though an announcement was due on Fri 03 Apr"),
        (BLACK_FRIDAY, THANKSGIVING, 0, Health.NOTHING_ANNOUNCED, "2026-11-27 (holiday, the announcement of"),
        (at(5), at(2), 1, Health.STALE, "due on Fri 03 Apr"),
    ],
)  # fmt: skip
def test_an_arxiv_feed_without_news_is_judged_by_the_calendar(now, fresh_at, papers, health, says):
    said = reading(*[sighting(n, categories=("cs.LG",)) for n in range(papers)], categories=("cs.LG",))
    row = judge(said, set(), previous(fresh_at, "cs.LG"), now)[1]
    assert row.health is health
    assert says in row.detail
    assert row.fresh_at == fresh_at


@pytest.mark.parametrize(
    ("now", "health", "says"),
    [
        (at(2, 20), Health.FRESH, "nothing new since Thu 02 Apr 08:00 UTC"),
        (at(4), Health.NOTHING_ANNOUNCED, "it is the weekend"),
        (at(6), Health.NOTHING_ANNOUNCED, "nothing new since Thu 02 Apr"),
        (at(20), Health.STALE, "nothing new since Thu 02 Apr 2026"),
    ],
)
def test_other_sources_without_news_are_judged_by_how_long_they_are_silent(now, health, says):
    (row,) = judge(reading(sighting(1)), set(), previous(THURSDAY), now)
    assert row.health is health
    assert says in row.detail


def test_an_empty_first_reading_is_no_alarm():
    (row,) = judge(reading(), set(), {}, THURSDAY)
    assert row.health is Health.NOTHING_ANNOUNCED


def test_a_partial_reading_says_what_is_missing_even_if_it_brought_news():
    said = reading(sighting(1), partial="page 2 was cut")
    (row,) = judge(said, {said.sightings[0].paper.id}, {}, THURSDAY)
    assert (row.health, row.detail) == (Health.PARTIAL, "1 new of 1 paper; page 2 was cut")
