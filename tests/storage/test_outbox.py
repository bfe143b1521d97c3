"""The outbox: who gets what, handed out once, its accounts closed whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes import THURSDAY, paper, sighting
from outbox import LEASE, claim_deliveries, edition, part_of, people, publish
from sqlalchemy import event, select, text, update

from digestmail.errors import StorageError
from digestmail.model.deliveries import Attempted, DeliveryState
from digestmail.model.papers import PaperId, Sighting
from digestmail.model.subscribers import SubscriberState
from digestmail.storage import claims, deliveries, due_times, editions, papers, schema


@pytest.fixture
def connection(database):
    with database.begin() as connection:
        papers.add_sightings(connection, [sighting(n) for n in range(1, 6)], THURSDAY)
        yield connection


def test_claims_go_segment_by_segment(connection):
    publish(connection, edition(paper(1)), people(connection, 12), segments=3)
    taken = [d.segment_id for _ in range(3) for d in claim_deliveries(connection, 4)]
    assert taken == sorted(taken)
    assert len(set(taken)) == 3


def test_what_fell_due_first_is_claimed_first(connection):
    ids = people(connection, 3)
    publish(connection, edition(paper(1)), ids)
    connection.execute(
        update(schema.deliveries)
        .where(schema.deliveries.c.subscriber_id == ids[2])
        .values(due_at=THURSDAY - timedelta(hours=1))
    )
    (first,) = claims.claim(connection, THURSDAY, LEASE, 1)
    assert first.subscriber_id == ids[2]


def test_a_claim_never_exceeds_its_limit(connection):
    publish(connection, edition(paper(1)), people(connection, 200))
    connection.execute(text("ANALYZE"))
    assert [len(claims.claim(connection, THURSDAY, LEASE, limit)) for limit in (1, 7, 150, 100)] == [1, 7, 150, 42]


def test_each_delivery_is_rechecked_against_its_own_digest(connection):
    ids = people(connection, 3, "daily", "weekly")
    publish(connection, edition(paper(1)), ids)
    publish(connection, edition(paper(1), name="weekly"), ids)
    subscription = schema.subscriptions.c
    connection.execute(
        schema.subscriptions.delete().where(subscription.digest == "weekly", subscription.subscriber_id == ids[0])
    )
    connection.execute(
        update(schema.subscribers).where(schema.subscribers.c.id == ids[1]).values(state=SubscriberState.SUPPRESSED)
    )
    wanted = {
        (editions.get_by_id(connection, d.edition_id).edition.digest, d.subscriber_id): (d.wanted, d.address)
        for d in claim_deliveries(connection, 10)
    }
    assert {key for key, (is_wanted, _) in wanted.items() if not is_wanted} == {
        ("weekly", ids[0]),
        ("daily", ids[1]),
        ("weekly", ids[1]),
    }
    assert {address for _, address in wanted.values()} == {f"p{n}@example.org" for n in range(3)}


@pytest.mark.parametrize("limit", [1, 20])
def test_claiming_reads_a_few_rows_however_long_the_outbox_is(connection, limit):
    if connection.dialect.name != "sqlite":
        pytest.skip("SQLite says how it would read before it reads; PostgreSQL decides by the size of the table")
    publish(connection, edition(paper(1)), people(connection, 50))
    said: list[str] = []

    def explain(conn, cursor, statement, parameters, context, executemany):
        plan = conn.connection.cursor()
        plan.execute(f"EXPLAIN QUERY PLAN {statement}", parameters[0] if executemany else parameters)
        said.extend(row[3] for row in plan.fetchall())

    event.listen(connection, "before_cursor_execute", explain)
    claims.claim(connection, THURSDAY, LEASE, limit)
    due_times.next_due(connection)
    event.remove(connection, "before_cursor_execute", explain)
    assert any("ix_deliveries_due" in step for step in said)
    assert not [step for step in said if "TEMP B-TREE" in step or step.startswith(("SCAN deliveries", "SCAN subscri"))]


@pytest.mark.parametrize("reply", ["550 no\0 such", "550 \udcff\ud800", "550 " + "x" * 100_000, ""])
def test_no_reply_of_a_server_stops_its_record(connection, reply):
    publish(connection, edition(paper(1)), people(connection, 1))
    (claimed,) = claims.claim(connection, THURSDAY, LEASE, 1)
    refused = Attempted(state=DeliveryState.FAILED, code=550, text=reply)
    assert claims.record(connection, [(claimed, refused)], THURSDAY) == ()
    kept = connection.execute(select(schema.deliveries.c.text)).scalar_one()
    assert kept is None if not reply else len(kept) <= 2000


def test_nothing_to_arm_or_record_is_nothing_done(connection):
    assert claims.record_intent(connection, (), THURSDAY) == frozenset()
    assert claims.record(connection, (), THURSDAY) == ()


def test_a_recipient_cannot_be_queued_twice(database):
    def twice() -> None:
        with database.begin() as connection:
            papers.add_sightings(connection, [sighting(1)], THURSDAY)
            ids = people(connection, 2)
            edition_id = publish(connection, edition(paper(1)), ids)
            segment_id = editions.add_segment(connection, edition_id, [], [])
            deliveries.enqueue(connection, [(ids[0], segment_id, THURSDAY)], edition_id)

    with pytest.raises(StorageError):
        twice()
    with database.connect() as connection:
        assert deliveries.counts(connection) == {}


def test_many_are_queued_in_pieces(connection, monkeypatch):
    monkeypatch.setattr(deliveries, "_CHUNK", 7)
    ids = people(connection, 30)
    edition_id = publish(connection, edition(paper(1)), ids)
    assert deliveries.counts(connection, edition_id) == {DeliveryState.QUEUED: 30}
    assert due_times.next_due(connection) == THURSDAY
    (row,) = claims.claim(connection, THURSDAY, LEASE, 1)
    assert (row.queued_at, row.attempts, row.fence) == (THURSDAY, 1, 1)


def test_an_empty_day_that_was_mailed_stays_as_it_is(connection):
    publish(connection, edition(paper(1), name="weekly"), people(connection, 2))
    mailed = publish(connection, edition(reason="a holiday"), [1])
    assert editions.add(connection, edition(paper(1))) is None
    assert editions.get_by_id(connection, mailed).edition.reason == "a holiday"
    not_mailed = editions.add(connection, edition(key="2026-04-03", reason="a holiday"))
    assert editions.add(connection, edition(paper(2), key="2026-04-03")) == not_mailed


def test_a_segment_does_not_change_when_its_papers_do(connection):
    first, second = (replace(paper(n), id=PaperId(f"doi:10.1/{n}"), link=f"https://doi.org/10.1/{n}") for n in (1, 2))
    day = THURSDAY.date()
    mentions = [Sighting(source="f", paper=one, day=day) for one in (first, second)]
    papers.add_sightings(connection, mentions, THURSDAY)
    published = edition(first, second)
    edition_id = editions.add(connection, published)
    only_second = editions.add_segment(connection, edition_id, ["Agents"], part_of(published, 2))
    both = replace(paper(9), aliases=(first.id, second.id))
    assert papers.add_sightings(connection, [Sighting(source="f", paper=both, day=day)], THURSDAY).merged == 1
    assert papers.find(connection, first.id).id == both.id
    assert editions.segment(connection, only_second).paper_ids == (second.id,)
    prior = editions.prior_segments(connection, [both.id], "weekly")
    assert prior == {only_second: frozenset({both.id})}


def test_recipients_are_listed_in_order_across_editions_and_pages(connection, monkeypatch):
    monkeypatch.setattr(editions, "_CHUNK", 3)
    ids = people(connection, 8)
    one = publish(connection, edition(paper(1)), ids, segments=2)
    two = publish(connection, edition(paper(1), name="second"), ids[::2])
    publish(connection, edition(paper(2), key="2026-04-03"), ids)
    prior = editions.prior_segments(connection, [paper(1).id], "third")
    (failed, *_) = claims.claim(connection, THURSDAY, LEASE, 1)
    claims.record(connection, [(failed, Attempted(state=DeliveryState.FAILED))], THURSDAY)
    rows = list(editions.received(connection, prior))
    assert [subscriber_id for subscriber_id, _ in rows] == sorted(subscriber_id for subscriber_id, _ in rows)
    table = schema.deliveries.c
    expected = select(table.subscriber_id, table.segment_id).where(
        table.edition_id.in_([one, two]), table.state != DeliveryState.FAILED
    )
    assert sorted(rows) == sorted(map(tuple, connection.execute(expected)))
