"""What a worker that was killed holds is given back at once, and never while one may be at work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fakes import THURSDAY
from outbox import people
from sqlalchemy import select
from worker_fixture import fill, fill_deferred

from digestmail.delivery import outcomes, stuck
from digestmail.errors import DigestmailError
from digestmail.model.deliveries import DeliveryState, Notice, NoticeKind, ProcessIdentity
from digestmail.storage import claims, deliveries, delivery_admin, notices, rates, schema, workers
from digestmail.storage.stuck import count_due

LEASE = timedelta(minutes=30)
ELSEWHERE = ProcessIdentity(machine="another", pid=1, started="1")
LATER = THURSDAY + timedelta(minutes=6)


def claim(database, begin: int):
    """Claim as a worker on another machine that is not heard of again."""
    with database.begin() as connection:
        workers.start(connection, "killed", ELSEWHERE, THURSDAY)
        rates.lease_connections(connection, "killed", {"relay:a": 3}, THURSDAY, timedelta(minutes=5))
        claimed = claims.claim(connection, THURSDAY, LEASE, 100)
        claims.record_intent(connection, claimed[:begin], THURSDAY)
    return claimed


def test_claims_are_given_back_due_at_once_and_what_was_begun_stays_sending(database):
    fill(database, 5)
    claim(database, 2)
    held = stuck.release(database, LATER, force=False)
    assert (held.deliveries, held.begun, held.notices) == (5, 2, 0)
    with database.begin() as connection:
        again = claims.claim(connection, LATER, LEASE, 100)
    assert sorted(one.state for one in again) == [*[DeliveryState.QUEUED] * 3, *[DeliveryState.SENDING] * 2]


def test_nothing_is_given_back_while_a_worker_may_be_at_work_unless_the_operator_knows_better(database):
    fill(database, 3)
    claim(database, 1)
    with pytest.raises(DigestmailError, match="--force"):
        stuck.release(database, THURSDAY + timedelta(minutes=1), force=False)
    assert stuck.look(database, THURSDAY + timedelta(minutes=1)).held is None
    assert stuck.release(database, THURSDAY + timedelta(minutes=1), force=True).deliveries == 3
    with database.connect() as connection:
        assert connection.execute(select(schema.connection_leases)).first() is None


def test_a_worker_that_was_alive_after_all_can_begin_and_record_nothing_more(database):
    fill(database, 2)
    first, second = claim(database, 1)
    stuck.release(database, LATER, force=True)
    with database.begin() as connection:
        assert claims.record_intent(connection, [second], LATER) == frozenset()
        assert not claims.record_intent(connection, [first], LATER)


def test_giving_back_twice_changes_nothing_and_what_waits_for_its_hour_stays(database):
    edition_id = fill(database, 2)
    with database.begin() as connection:
        (late,) = people(connection, 1, domains=("example.net",))
        segment_id = connection.execute(select(schema.segments.c.id)).scalar_one()
        deliveries.enqueue(connection, [(late, segment_id, LATER + timedelta(hours=3))], edition_id)
    claim(database, 0)
    assert stuck.release(database, LATER, force=False).deliveries == 2
    assert stuck.release(database, LATER, force=False).deliveries == 0
    with database.begin() as connection:
        assert len(claims.claim(connection, LATER, LEASE, 100)) == 2


def test_deferred_emails_that_were_claimed_again_are_given_back_and_those_that_wait_are_not(database):
    second, third = timedelta(minutes=10), timedelta(hours=3)
    fill_deferred(database, [second, second, third])
    with database.begin() as connection:
        workers.start(connection, "killed", ELSEWHERE, THURSDAY + second)
        assert len(claims.claim(connection, THURSDAY + second, LEASE, 100)) == 4
    later = THURSDAY + second + timedelta(minutes=6)
    seen = stuck.look(database, later)
    assert seen.held is not None
    assert (seen.held.deliveries, seen.held.begun, seen.held.notices) == (2, 0, 2)
    held = stuck.release(database, later, force=False)
    assert (held.deliveries, held.begun, held.notices) == (2, 0, 2)
    assert stuck.release(database, later, force=False).deliveries == 0
    with database.begin() as connection:
        again = claims.claim(connection, later, LEASE, 100)
        assert [one.attempts for one in again] == [2] * 4, "what was tried before counts as tried"
        assert len(claims.claim(connection, THURSDAY + third, LEASE, 100)) == 6


def test_a_deferred_email_that_is_claimed_and_given_back_unsent_is_deferred_again(database):
    fill_deferred(database, [timedelta(minutes=10)])
    now = THURSDAY + timedelta(minutes=10)
    with database.begin() as connection:
        claimed = claims.claim(connection, now, LEASE, 100)
        given_back = [(one, outcomes.released(one, now + timedelta(hours=1))) for one in claimed]
        assert claims.record(connection, given_back, now) == ()
        for table in (schema.deliveries, schema.notices):
            states = select(table.c.state, table.c.attempts)
            assert connection.execute(states).all() == [(DeliveryState.DEFERRED, 1)]
        held = stuck.stuck.held(connection, now)
    assert (held.deliveries, held.notices) == (0, 0)


def test_notices_of_a_killed_process_are_given_back_too(database):
    with database.begin() as connection:
        (reader,) = people(connection, 1)
        notices.enqueue(connection, reader, NoticeKind.CONFIRM, {}, THURSDAY)
    claim(database, 1)
    assert stuck.look(database, THURSDAY + timedelta(minutes=1)).held is None
    assert stuck.look(database, LATER).held is not None
    held = stuck.release(database, LATER, force=False)
    assert (held.notices, held.begun) == (1, 1)
    with database.begin() as connection:
        assert len(claims.claim(connection, LATER, LEASE, 10)) == 1


def test_what_a_paused_server_has_put_off_is_not_taken_for_claimed(database):
    fill(database, 2)
    with database.begin() as connection:
        claimed = claims.claim(connection, THURSDAY, LEASE, 10)
        put_off = [(one, outcomes.released(one, THURSDAY + timedelta(hours=1))) for one in claimed]
        claims.record(connection, put_off, THURSDAY)
        rates.pause(connection, "relay:a", THURSDAY + timedelta(hours=1), "login refused", THURSDAY)
    assert stuck.look(database, LATER).held is None


def test_resuming_makes_notices_due_that_waited_for_a_server_and_no_others(database):
    with database.begin() as connection:
        (reader,) = people(connection, 1)
        notices.enqueue(connection, reader, NoticeKind.CONFIRM, {}, THURSDAY)
        claimed = claims.claim(connection, THURSDAY, LEASE, 10)
        put_off = [(one, outcomes.released(one, THURSDAY + timedelta(minutes=5))) for one in claimed]
        claims.record(connection, put_off, THURSDAY)
        notices.enqueue(connection, reader, NoticeKind.CHANGED, {}, THURSDAY, due_at=THURSDAY + timedelta(hours=1))
        assert delivery_admin.make_due(connection, THURSDAY + timedelta(minutes=1)) == 1
        due = claims.claim(connection, THURSDAY + timedelta(minutes=1), LEASE, 10)
    assert [one.kind for one in due if isinstance(one, Notice)] == [NoticeKind.CONFIRM]


def test_what_is_late_and_what_does_not_get_through_is_counted(database):
    fill(database, 3)
    with database.begin() as connection:
        (reader,) = people(connection, 1, domains=("example.net",))
        for _ in range(2):
            notices.enqueue(connection, reader, NoticeKind.CONFIRM, {}, THURSDAY)
    found = stuck.look(database, THURSDAY + timedelta(hours=3))
    assert found.held is None
    assert found.overdue is not None
    assert (found.overdue.count, found.overdue.since) == (3, THURSDAY)
    assert [(row.kind, row.state, row.count, row.text) for row in found.unsent] == [
        (NoticeKind.CONFIRM, DeliveryState.QUEUED, 2, "")
    ]
    with database.connect() as connection:
        assert count_due(connection, THURSDAY) == 3
