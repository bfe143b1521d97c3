"""Whether a worker is needed, and what a report counts: never more than the editions of the run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY, FakeClock, FakeTransport
from outbox import edition
from sqlalchemy import event
from worker_fixture import fill, worker

from digestmail.bounces.score import Scoring
from digestmail.delivery.standing import LINGER, add_standing, has_work, outbox_report
from digestmail.model.deliveries import DeliveryState, NoticeKind, ProcessIdentity
from digestmail.model.reports import DeliverReport
from digestmail.storage import deliveries, editions, notices, rates, schema, workers

GONE = ProcessIdentity(machine="elsewhere", pid=7, started="1")


def end_all(database, state=DeliveryState.SENT) -> None:
    with database.begin() as connection:
        ended = {"state": state, "due_at": None, "ended_at": THURSDAY}
        connection.execute(schema.deliveries.update().values(ended))


def test_an_outbox_that_is_done_needs_no_worker(database):
    assert not has_work(database, THURSDAY)
    fill(database, 2)
    assert has_work(database, THURSDAY)
    end_all(database)
    assert not has_work(database, THURSDAY)


def test_a_message_that_is_due_within_a_minute_needs_a_worker(database):
    fill(database, 1)
    assert has_work(database, THURSDAY - LINGER)
    assert not has_work(database, THURSDAY - LINGER - timedelta(seconds=1))


def test_a_message_that_waits_for_an_impossible_time_needs_a_worker(database):
    fill(database, 1)
    assert has_work(database, THURSDAY - timedelta(days=365))


def pause(connection) -> None:
    rates.pause(connection, "relay:main", THURSDAY + timedelta(minutes=5), "no", THURSDAY)


def start(connection) -> None:
    workers.start(connection, "one", GONE, THURSDAY)


def notice(connection) -> None:
    subscriber = connection.execute(schema.subscribers.select()).first()
    notices.enqueue(connection, subscriber.id, NoticeKind.WELCOME, {}, THURSDAY)


@pytest.mark.parametrize("happens", [pause, start, notice])
def test_a_pause_a_worker_and_a_notice_need_a_worker(database, happens):
    fill(database, 1)
    end_all(database)
    with database.begin() as connection:
        happens(connection)
    assert has_work(database, THURSDAY)


def test_a_run_counts_and_checks_the_editions_that_it_worked_on(database, tmp_path):
    fill(database, 3)
    end_all(database)
    with database.begin() as connection:
        # Of this edition, two deliveries were lost.
        other = editions.add(connection, edition(key="2026-04-03", reason="a test"))
        segment_id = editions.add_segment(connection, other, [], [])
        readers = connection.execute(schema.subscribers.select()).scalars().all()
        deliveries.enqueue(connection, [(readers[0], segment_id, THURSDAY)], other)
        editions.set_recipients(connection, other, 3)
    with database.connect() as connection:
        assert outbox_report(connection, complete=False).unbalanced == ()
        wrong = ("daily 2026-04-03: 3 recipients, 1 deliveries",)
        assert outbox_report(connection, complete=False, worked_on=[other]).unbalanced == wrong
        whole = outbox_report(connection)
        assert (whole.outbox, whole.unbalanced) == ({"queued": 1, "sent": 3}, wrong)
    report = worker(database, [FakeTransport()], FakeClock(), tmp_path / "epoch").deliver()
    assert (report.sent, report.outbox, report.unbalanced) == (1, {"sent": 1}, wrong)


def test_the_account_of_a_run_reads_no_delivery_of_another_edition(database):
    fill(database, 3)
    end_all(database)
    seen = []
    event.listen(database.engine, "before_cursor_execute", lambda *heard: seen.append(heard[2]))
    report = add_standing(database, DeliverReport(), THURSDAY, Scoring(), worked_on=())
    assert (report.outbox, report.next_due_at, report.unbalanced) == ({}, None, ())
    assert not [one for one in seen if "FROM editions" in one]
