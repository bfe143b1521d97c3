"""How the databases carry out what a worker asks of them: no statement of a claim reads a table whole."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeClock, FakeTransport
from outbox import LEASE, edition
from scans import scanned
from sqlalchemy import event, text
from worker_fixture import worker

from digestmail.model.deliveries import Attempted, DeliveryState
from digestmail.model.subscribers import Subscription
from digestmail.storage import claims, deliveries, due_times, editions, schema, subscribers

ROWS, CLAIMED = 4000, 16
GROWING = {"deliveries", "subscribers", "subscriptions", "editions", "attempts"}
"""Tables that have a row for each reader, each edition, or both."""


@pytest.fixture
def outbox(database):
    """Thousands of deliveries: of an old edition, which are over, and of a new one, which are due."""
    with database.begin() as connection:
        template = subscribers.add(connection, "p@example.org", THURSDAY)
        subscribers.subscribe(connection, template, Subscription(digest="daily"), THURSDAY)
        old = editions.add(connection, edition(key="slot", reason="a test"))
        segment_id = editions.add_segment(connection, old, [], [])
        multiply(connection, schema.subscribers, "id", "address", "key")
        multiply(connection, schema.subscriptions, "subscriber_id")
        multiply(connection, schema.editions, "id", "slot")
        everybody = [(template + number, segment_id, THURSDAY) for number in range(ROWS)]
        deliveries.enqueue(connection, everybody, old)
        over = {"state": DeliveryState.SENT, "due_at": None, "ended_at": THURSDAY, "attempts": 1}
        connection.execute(schema.deliveries.update().values(over))
        deliveries.enqueue(connection, everybody, old + ROWS - 1)
    if database.dialect == "postgresql":
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    return database


def multiply(connection, table, *unique) -> None:
    """Copy the one row of `table` until there are as many as there should be."""
    row = dict(connection.execute(table.select()).mappings().one())
    copies = [
        row | {name: row[name] + n if isinstance(row[name], int) else f"{row[name]} {n}" for name in unique}
        for n in range(1, ROWS)
    ]
    connection.execute(table.insert(), copies)


@contextmanager
def heard(connection):
    """Hear every statement there is to explain, with its values."""
    statements = []

    def hear(_connection, _cursor, statement, values, _context, executemany) -> None:
        if re.match(r"WITH|SELECT|UPDATE", statement.lstrip()):
            statements.append((statement, values[0] if executemany else values))

    event.listen(connection, "before_cursor_execute", hear)
    yield statements
    event.remove(connection, "before_cursor_execute", hear)


def test_no_statement_of_a_worker_scans_an_entire_table(outbox):
    with outbox.begin() as connection:
        with heard(connection) as statements:
            held = claims.claim(connection, THURSDAY, LEASE, CLAIMED)
            until = THURSDAY + timedelta(minutes=1)
            assert len(claims.record_intent(connection, held, until)) == CLAIMED
            later = Attempted(
                state=DeliveryState.DEFERRED, due_at=until, code=451, text="later", kept=DeliveryState.DEFERRED
            )
            sent = Attempted(state=DeliveryState.SENT, code=250, text="ok")
            results = [(one, later if number % 7 == 0 else sent) for number, one in enumerate(held)]
            assert claims.record(connection, results, THURSDAY) == ()
            # Again, and too late: what the rows stand at is looked up.
            assert claims.record_intent(connection, held, until) == frozenset()
            assert due_times.next_due(connection) == THURSDAY
        assert len(statements) >= 6
        for statement, values in statements:
            assert scanned(connection, statement, values, GROWING) == set(), statement


def test_a_run_with_nothing_to_do_reads_no_past_delivery(outbox, tmp_path):
    with outbox.begin() as connection:
        connection.execute(schema.deliveries.update().values(state=DeliveryState.SENT, due_at=None, ended_at=THURSDAY))
    with outbox.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    transport = FakeTransport()
    with heard(outbox.engine) as statements:
        report = worker(outbox, [transport], FakeClock(), tmp_path / "epoch").deliver()
    assert (report.sent, report.outbox, transport.sent) == (0, {}, [])
    read = [(statement, values) for statement, values in statements if "deliveries" in statement]
    assert read
    with outbox.connect() as connection:
        for statement, values in read:
            assert "deliveries" not in scanned(connection, statement, values, GROWING), statement


def test_many_intents_change_no_index(outbox):
    """PostgreSQL: if its page has room, a row stays there, and the indexes lead to it as before."""
    if outbox.dialect != "postgresql":
        pytest.skip("SQLite changes only the indexes that have a changed column")
    with outbox.begin() as connection:
        held = claims.claim(connection, THURSDAY, LEASE, 1000)
    with outbox.begin() as connection:
        assert len(claims.record_intent(connection, held, THURSDAY)) == len(held) == 1000
        in_place = text("SELECT pg_stat_get_xact_tuples_hot_updated('deliveries'::regclass)")
        assert connection.scalar(in_place) > 0.3 * len(held)
