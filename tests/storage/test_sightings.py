"""What is kept of what sources count, and what becomes of it when papers merge or processes meet."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest
from fakes import THURSDAY, paper, sighting
from sqlalchemy import select

from digestmail.errors import StorageError
from digestmail.model.papers import AnnounceType, Origin, Paper, PaperId, Sighting, Signals
from digestmail.storage import papers, schema
from digestmail.storage.sightings import highest

DAY = timedelta(days=1)
ALWAYS = THURSDAY + 365 * DAY


def named(*names: str) -> Paper:
    first, *others = (PaperId(f"doi:{name}") for name in names)
    return Paper(id=first, aliases=tuple(others), title="By DOI", origin=Origin.FEED, link="https://doi.org/")


def seen(found: Paper, source: str = "hf", day: date | None = None, **counts) -> Sighting:
    return Sighting(source=source, paper=found, day=day or THURSDAY.date(), signals=Signals(**counts))


def contents(connection) -> dict[str, list[tuple]]:
    tables = (schema.papers, schema.paper_aliases, schema.sightings)
    return {t.name: sorted(map(tuple, connection.execute(select(t))), key=repr) for t in tables}


def test_a_paper_mentioned_twice_in_one_reading_has_the_higher_count_and_keeps_it(database):
    twice = [sighting(1, upvotes=5), sighting(1, upvotes=7)]
    with database.begin() as connection:
        papers.add_sightings(connection, twice, THURSDAY)
        before = contents(connection)
        for reading in (twice, twice[::-1]):
            papers.add_sightings(connection, reading, THURSDAY + timedelta(hours=1))
            assert contents(connection) == before
        (candidate,) = papers.mentioned(connection, ["hf"], THURSDAY, ALWAYS)
    assert candidate.signals.upvotes == 7


def test_when_a_paper_was_first_seen_does_not_move_with_later_readings(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1, upvotes=1)], THURSDAY)
        papers.add_sightings(connection, [sighting(1, upvotes=2)], THURSDAY + timedelta(hours=5))
        (candidate,) = papers.mentioned(connection, ["hf"], THURSDAY - DAY, ALWAYS)
        assert [mention.first_seen_at for mention in candidate.mentions] == [THURSDAY]
        assert papers.mentioned(connection, ["hf"], THURSDAY + timedelta(hours=1), ALWAYS) == ()


def test_a_post_without_date_costs_nothing_on_later_days(database):
    with database.begin() as connection:
        for later in range(4):
            now = THURSDAY + later * DAY
            papers.add_sightings(connection, [seen(paper(1), day=now.date())], now)
        (row,) = papers.sightings_of(connection, paper(1).id)
    assert row.day == THURSDAY.date()


def test_an_unknown_count_keeps_its_previous_value(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [seen(paper(1), upvotes=4, stars=9)], THURSDAY)
        papers.add_sightings(connection, [seen(paper(1), upvotes=6)], THURSDAY + DAY)
        (candidate,) = papers.mentioned(connection, ["hf"], THURSDAY - DAY, ALWAYS)
    assert (candidate.signals, candidate.earlier) == (Signals(upvotes=6, stars=9), Signals(upvotes=4, stars=9))


def test_counts_may_fall(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1, upvotes=9)], THURSDAY)
        papers.add_sightings(connection, [sighting(1, upvotes=8)], THURSDAY + timedelta(hours=1))
        (row,) = papers.sightings_of(connection, paper(1).id)
    assert row.signals.upvotes == 8


def test_the_order_of_sources_does_not_change_the_highest_counts():
    new = Signals(announce_type=AnnounceType.NEW, upvotes=1)
    cross = Signals(announce_type=AnnounceType.CROSS, comments=2)
    expected = Signals(announce_type=AnnounceType.NEW, upvotes=1, comments=2)
    assert highest(new, cross) == highest(cross, new) == expected


def test_three_rows_that_are_one_work_count_as_two_merged_and_none_updated(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [seen(named(name)) for name in ("10.1/a", "10.1/b", "10.1/c")], THURSDAY)
        added = papers.add_sightings(connection, [seen(named("10.1/a", "10.1/b", "10.1/c"))], THURSDAY)
        assert (added.new, added.updated, added.merged) == (0, 0, 2)
        assert len(papers.list_papers(connection, 10)) == 1


def test_merged_papers_keep_the_higher_counts_and_the_earlier_time(database):
    later = THURSDAY + timedelta(hours=2)
    with database.begin() as connection:
        papers.add_sightings(connection, [seen(named("10.1/a"), upvotes=3, stars=1)], later)
        papers.add_sightings(connection, [seen(named("10.1/b"), upvotes=8)], THURSDAY)
        papers.add_sightings(connection, [seen(named("10.1/a", "10.1/b"), source="other")], later)
        (candidate,) = papers.mentioned(connection, ["hf"], THURSDAY - DAY, ALWAYS)
    assert (candidate.signals, candidate.mentions[0].first_seen_at) == (Signals(upvotes=8, stars=1), THURSDAY)


def test_an_id_is_unseen_if_this_source_never_showed_it(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1)], THURSDAY)
        added = papers.add_sightings(connection, [sighting(1, source="other"), sighting(2, source="other")], THURSDAY)
        assert (added.new, added.unseen) == (1, {paper(1).id, paper(2).id})
        assert papers.add_sightings(connection, [sighting(1, source="other")], THURSDAY + DAY).unseen == frozenset()


def test_one_statement_for_many_rows(database):
    """A thousand papers cost some statements, not some thousand, whether they are new or changed."""
    many = [sighting(n, upvotes=n) for n in range(1, 301)]
    changed = [
        replace(s, paper=replace(s.paper, title="New", origin=Origin.ARXIV), signals=Signals(upvotes=1000))
        for s in many
    ]
    with database.begin() as connection:
        for reading in (many, many, changed):
            assert (
                statements(connection, lambda reading=reading: papers.add_sightings(connection, reading, THURSDAY)) < 30
            )


def statements(connection, act) -> int:
    from sqlalchemy import event

    counted = []

    def count(*_) -> None:
        counted.append(1)

    event.listen(connection, "before_cursor_execute", count)
    try:
        act()
    finally:
        event.remove(connection, "before_cursor_execute", count)
    return len(counted)


def test_two_processes_that_meet_the_same_new_papers_add_them_once(database):
    failures: list[BaseException] = []
    start = threading.Barrier(2)

    def collect(source: str) -> None:
        try:
            for first in range(1, 40, 4):
                start.wait(timeout=30)
                with database.begin() as connection:
                    mine = [sighting(n, source=source) for n in range(first, first + 4)]
                    papers.add_sightings(connection, mine, THURSDAY)
        except (StorageError, threading.BrokenBarrierError) as error:
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=collect, args=(source,)) for source in ("hf", "arxiv")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.connect() as connection:
        found = papers.mentioned(connection, ["hf", "arxiv"], THURSDAY - DAY, ALWAYS)
    assert len(found) == 40
    assert {tuple(mention.source for mention in one.mentions) for one in found} == {("arxiv", "hf")}


@pytest.mark.parametrize("size", [1, 499, 500, 501, 1400])
def test_readings_of_any_size_are_stored(database, size):
    with database.begin() as connection:
        assert papers.add_sightings(connection, [sighting(n) for n in range(size)], THURSDAY).new == size
        assert len(papers.mentioned(connection, ["hf"], THURSDAY, ALWAYS)) == size
