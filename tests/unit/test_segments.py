from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from stage import paper

from digestmail.model import Edition, Entry, PaperId, Score, Section, Signals, Slot
from digestmail.selection.segments import for_segment

NOON = datetime(2026, 4, 2, 12, tzinfo=UTC)


def section(topic: str | None, *numbers: int) -> Section:
    entries = tuple(
        Entry(paper=paper(number), signals=Signals(), score=Score(total=1.0), rank=number) for number in numbers
    )
    return Section(topic=topic, entries=entries, more=3)


def edition(*sections: Section) -> Edition:
    slot = Slot(at=NOON, key="2026-04-02", day=date(2026, 4, 2))
    return Edition(digest="daily", slot=slot, title="Papers", byline="", composed_at=NOON, sections=sections)


WHOLE = edition(section("Agents", 1, 4), section("Vision", 2), section(None, 3, 5))


def got(topics: tuple[str, ...] = (), *without: int) -> list[tuple[str | None, list[int]]]:
    left_out = frozenset(paper(number).id for number in without)
    return [(found.topic, [entry.rank for entry in found.entries]) for found in for_segment(WHOLE, topics, left_out)]


def test_who_takes_everything_gets_the_edition_as_it_is():
    assert for_segment(WHOLE, (), frozenset()) == WHOLE.sections


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        (("Agents",), [("Agents", [1, 4])]),
        (("Vision", "Agents"), [("Agents", [1, 4]), ("Vision", [2])]),
        (("Speech",), []),
        (("Speech", "Vision"), [("Vision", [2])]),
    ],
)
def test_who_chose_topics_gets_these_in_the_editions_order_and_no_closing_section(topics, expected):
    assert got(topics) == expected


def test_papers_somebody_already_has_are_left_out_and_ranks_stay():
    assert got((), 1, 5) == [("Agents", [4]), ("Vision", [2]), (None, [3])]


def test_a_section_with_nothing_left_is_left_out():
    assert got((), 2, 3, 5) == [("Agents", [1, 4])]
    assert got(("Vision",), 2) == []


def test_papers_unknown_to_the_edition_do_not_matter():
    assert for_segment(WHOLE, (), frozenset({PaperId("arxiv:1")})) == WHOLE.sections


def test_an_edition_of_an_empty_day_has_nothing_for_anybody():
    assert for_segment(edition(), (), frozenset()) == ()


def test_what_the_edition_had_no_room_for_is_counted_as_before():
    assert [found.more for found in for_segment(WHOLE, ("Agents",), frozenset({paper(1).id}))] == [3]
