"""Which papers an index is asked about, and what it is remembered to know."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from fakes import THURSDAY, paper, sighting
from sqlalchemy import select

from digestmail.model.literature import IndexName, IndexRecord, PaperIds
from digestmail.model.papers import PaperId
from digestmail.storage import paper_records, papers
from digestmail.storage.schema import paper_records as table

S2, ALEX = IndexName.SEMANTIC_SCHOLAR, IndexName.OPENALEX
WEEK = timedelta(days=7)


@pytest.fixture
def stored(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(1, aliases=(PaperId("doi:10.5555/a"),))], THURSDAY)
        papers.add_sightings(connection, [sighting(2)], THURSDAY + timedelta(hours=1))
    return database


def due(database, source: IndexName = S2, now: datetime = THURSDAY, days: int = 90, most: int = 9) -> list[PaperIds]:
    with database.connect() as connection:
        return paper_records.due(
            connection, source, since=now - timedelta(days=days), read_before=now - WEEK, now=now, most=most
        )


def store(database, asked: list[PaperIds], *known: PaperIds, at: datetime = THURSDAY, citations: int = 3) -> None:
    found = {
        one.row_id: IndexRecord(source=S2, citations=citations, venue="ICLR", url="https://example.org/1")
        for one in known
    }
    with database.begin() as connection:
        paper_records.store(connection, S2, asked, found, at)


def known(database, number: int = 1) -> list[tuple[int | None, datetime | None]]:
    with database.connect() as connection:
        return [(one.citations, one.read_at) for one in paper_records.of_paper(connection, paper(number).id)]


def test_papers_are_asked_about_by_all_their_ids_the_newest_first(stored):
    assert [(one.arxiv_id, one.dois) for one in due(stored)] == [("2604.00002", ()), ("2604.00001", ("10.5555/a",))]
    assert len(due(stored, most=1)) == 1
    assert due(stored, now=THURSDAY + timedelta(days=91)) == []


def test_a_paper_is_asked_about_once_a_week_whether_it_is_known_or_not(stored):
    asked = due(stored)
    store(stored, asked, asked[1])
    assert due(stored) == []
    assert len(due(stored, ALEX)) == 2
    assert due(stored, now=THURSDAY + WEEK) == []
    assert [one.arxiv_id for one in due(stored, now=THURSDAY + WEEK + timedelta(seconds=1))] == [
        "2604.00002",
        "2604.00001",
    ]


def test_what_was_asked_longest_ago_comes_after_what_was_never_asked(stored):
    first, second = due(stored)
    store(stored, [second], at=THURSDAY)
    later = THURSDAY + 2 * WEEK
    assert due(stored, now=later) == [first, second]
    store(stored, [first], at=THURSDAY + timedelta(hours=1))
    assert due(stored, now=later) == [second, first]


def test_what_is_known_is_replaced_but_not_by_nothing(stored):
    _, one = due(stored)
    assert known(stored) == []
    store(stored, [one], one)
    assert known(stored) == [(3, THURSDAY)]
    store(stored, [one], one, at=THURSDAY + WEEK, citations=4)
    assert known(stored) == [(4, THURSDAY + WEEK)]
    store(stored, [one], at=THURSDAY + 2 * WEEK)
    assert known(stored) == [(4, THURSDAY + 2 * WEEK)]
    assert known(stored, 2) == []


def test_a_time_written_by_a_clock_that_was_ahead_counts_as_long_ago(stored):
    asked = due(stored)
    store(stored, asked, *asked, at=THURSDAY + timedelta(days=4000))
    assert len(due(stored)) == 2


def test_a_merged_paper_keeps_the_records_of_the_older_one(stored):
    asked = due(stored)
    store(stored, asked, *asked)
    both = sighting(1, aliases=(PaperId("arxiv:2604.00002"),))
    with stored.begin() as connection:
        assert papers.add_sightings(connection, [both], THURSDAY).merged == 1
        assert connection.execute(select(table.c.paper_id)).scalars().all() == [asked[1].row_id]
    assert [one.row_id for one in due(stored, ALEX)] == [asked[1].row_id]


def test_papers_without_an_id_that_indexes_know_are_not_asked_about(database):
    only_link = sighting(1)
    plain = only_link.paper.__class__(
        id=PaperId("url:https://a.example.org/1"),
        title="A post",
        origin=only_link.paper.origin,
        link="https://a.example.org/1",
    )
    with database.begin() as connection:
        papers.add_sightings(connection, [only_link.__class__(source="blog", paper=plain, day=only_link.day)], THURSDAY)
    assert due(database) == []
