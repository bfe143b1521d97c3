from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from fakes import AGENTS, VISION, paper
from outbox import edition as outbox_edition

from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Paper, PaperId, Signals
from digestmail.model.selection import Count, TopicMatch
from digestmail.selection.trending import for_topics, trending

TODAY = date(2026, 4, 30)


def edition(days_ago: int, *papers: tuple[Paper, Signals], topic: str | None = None) -> Edition:
    """Return an edition with these papers and the counts that they had."""
    made = outbox_edition(*(one for one, _ in papers))
    matches = (TopicMatch(topic=topic, strength=1.0),) if topic else ()
    entries = tuple(
        replace(entry, signals=signals, matches=matches)
        for entry, (_, signals) in zip(made.entries, papers, strict=True)
    )
    day = TODAY - timedelta(days=days_ago)
    return replace(made, entries=entries, slot=Slot(at=made.slot.at, key=day.isoformat(), day=day))


def upvotes(count: int | None) -> Signals:
    return Signals(upvotes=count)


def found(before: Signals, now: Signals, *, days_ago: int = 5) -> list[tuple[Count, int]]:
    """Return what is said about one paper that had these counts and has those."""
    one = paper(1)
    return [
        (line.count, line.growth) for line in trending([edition(days_ago, (one, before))], {one.id: (one, now)}, TODAY)
    ]


@pytest.mark.parametrize(
    ("before", "now", "trends"),
    [
        (10, 29, False),
        (10, 30, True),
        (40, 79, False),
        (40, 80, True),
        (0, 20, True),
        (None, 20, True),
        (None, 19, False),
        (-5, 19, False),
        (50, 3, False),
        (50, None, False),
    ],
)
def test_a_paper_trends_if_it_gained_twenty_and_as_many_as_it_had(before, now, trends):
    growth = (now or 0) - max(before or 0, 0)
    assert found(upvotes(before), upvotes(now)) == ([(Count.UPVOTES, growth)] if trends else [])


@pytest.mark.parametrize(("days_ago", "trends"), [(0, False), (1, False), (2, True), (30, True), (31, False)])
def test_it_was_published_two_to_thirty_days_ago(days_ago, trends):
    assert bool(found(upvotes(1), upvotes(100), days_ago=days_ago)) is trends


def test_without_upvotes_stars_count_and_without_those_comments():
    assert found(Signals(), Signals(stars=40, comments=99)) == [(Count.STARS, 40)]
    assert found(Signals(comments=9), Signals(comments=31)) == [(Count.COMMENTS, 22)]
    assert found(Signals(), Signals(upvotes=1, stars=500)) == []
    assert found(Signals(), Signals()) == []


def test_at_most_three_trend_with_the_strongest_growth_first():
    papers = [paper(number) for number in range(1, 6)]
    earlier = [
        edition(3, *((one, upvotes(0)) for one in papers[:3])),
        edition(4, *((one, upvotes(0)) for one in papers[3:])),
    ]
    known = {one.id: (one, upvotes(20 + number)) for number, one in enumerate(papers)}
    assert [line.paper.title for line in trending(earlier, known, TODAY)] == ["Paper 5", "Paper 4", "Paper 3"]


def test_a_paper_is_named_once_even_under_another_id_and_a_withdrawn_one_never():
    one, gone = paper(1), paper(2)
    first = edition(6, (one, upvotes(0)), (gone, upvotes(0)))
    known = {one.id: (one, upvotes(90)), gone.id: (replace(gone, withdrawn=True), upvotes(90))}
    lines = trending([first], known, TODAY)
    assert [line.paper.id for line in lines] == [one.id]
    second = replace(edition(3, (paper(3), upvotes(0))), trending=lines)
    assert trending([first, second], known, TODAY) == ()
    renamed = replace(one, id=PaperId("doi:10.1000/x"), aliases=(one.id,))
    assert trending([first, second], {one.id: (renamed, upvotes(400))}, TODAY) == ()


def test_readers_of_a_topic_see_what_they_got():
    one = paper(1)
    lines = trending([edition(5, (one, upvotes(0)), topic=AGENTS.name)], {one.id: (one, upvotes(50))}, TODAY)
    assert for_topics(lines, ()) == for_topics(lines, (VISION.name, AGENTS.name)) == lines
    assert for_topics(lines, (VISION.name,)) == ()
    none = trending([edition(5, (one, upvotes(0)))], {one.id: (one, upvotes(50))}, TODAY)
    assert for_topics(none, ()) == none
    assert for_topics(none, (AGENTS.name,)) == ()
