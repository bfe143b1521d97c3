"""Who received which papers, in sections and as picks."""

from __future__ import annotations

import pytest
from fakes import THURSDAY, digest, paper, sighting
from outbox import edition, people
from sqlalchemy import event

from digestmail.model.deliveries import DeliveryState
from digestmail.model.papers import Signals
from digestmail.model.selection import Entry, Score
from digestmail.selection.segments import for_all_topics
from digestmail.storage import deliveries, editions, papers, picks, received, schema

READERS = 7


@pytest.fixture
def connection(database):
    with database.begin() as connection:
        yield connection


@pytest.fixture
def issue(connection) -> int:
    """An edition of paper 1. Paper 1 was picked for the first two readers, and paper 2 for the last three."""
    papers.add_sightings(connection, [sighting(1), sighting(2)], THURSDAY)
    ids = people(connection, READERS)
    of = edition(paper(1))
    edition_id = editions.add(connection, of)
    segment_id = editions.add_segment(connection, edition_id, [], for_all_topics(of))
    other = Entry(paper=paper(2), signals=Signals(), score=Score(total=0.5), rank=2)
    picks.add_papers(connection, of, edition_id, {1: of.entries[0], 2: other})
    packed = dict.fromkeys(ids[:2], picks.pack([(1, 0)])) | dict.fromkeys(ids[-3:], picks.pack([(2, 0)]))
    rows = [(one, segment_id, THURSDAY) for one in ids]
    assert deliveries.enqueue(connection, rows, edition_id, packed) == READERS
    return edition_id


def of_everyone(connection, name: str, *numbers: int, edition_id: int | None = None) -> dict[int, set[int]]:
    """Return the numbers of the papers that each reader received, and compare with asking for one reader."""
    before = received.earlier(connection, [paper(number).id for number in numbers], digest(name), edition_id)
    found: dict[int, set[int]] = {}
    for reader, held in received.of_everyone(connection, before):
        found.setdefault(reader, set()).update(int(one.rpartition(".")[2]) for one in held)
    for reader in range(1, READERS + 1):
        alone = {int(one.rpartition(".")[2]) for one in received.of(connection, reader, before)}
        assert alone == found.get(reader, set())
    return found


def test_the_digest_itself_knows_picks_and_others_know_sections_too(connection, issue, monkeypatch):
    monkeypatch.setattr(received, "_CHUNK", 2)
    assert of_everyone(connection, "daily", 1, 2) == {1: {1}, 2: {1}, 5: {2}, 6: {2}, 7: {2}}
    every = {reader: {1} for reader in range(1, READERS + 1)}
    assert of_everyone(connection, "weekly", 1, 2) == every | {reader: {1, 2} for reader in (5, 6, 7)}
    assert of_everyone(connection, "weekly", 2) == {reader: {2} for reader in (5, 6, 7)}
    assert of_everyone(connection, "daily", 1, 2, edition_id=issue) == {}


def test_picks_of_emails_that_failed_were_not_received(connection, issue):
    failed = schema.deliveries.update().where(schema.deliveries.c.subscriber_id > 5)
    connection.execute(failed.values(state=DeliveryState.FAILED, due_at=None))
    assert of_everyone(connection, "daily", 2) == {5: {2}}


def test_on_sqlite_only_deliveries_with_picks_are_read(connection, issue):
    if connection.dialect.name != "sqlite":
        pytest.skip("SQLite says how it would read before it reads; PostgreSQL decides by the size of the table")
    before = received.earlier(connection, [paper(2).id], digest())
    said: list[str] = []

    def explain(conn, cursor, statement, parameters, context, executemany):
        plan = conn.connection.cursor()
        plan.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        said.extend(row[3] for row in plan.fetchall())

    event.listen(connection, "before_cursor_execute", explain)
    assert len(list(received.of_everyone(connection, before))) == 3
    event.remove(connection, "before_cursor_execute", explain)
    assert said
    assert all("ix_deliveries_picked" in step for step in said)


def test_packed_picks_come_back_in_order():
    picked = [(1, 0), (127, 128), (65_535, 4_294_967_295), (7, 16_384)]
    assert list(picks.unpack(picks.pack(picked))) == picked
    assert len(picks.pack(picked)) == 2 + 3 + 8 + 4
    assert list(picks.unpack(None)) == []
