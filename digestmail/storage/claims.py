"""Claims: what one worker does to the deliveries it holds. The fence says whether it still holds them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, select

from digestmail.model.deliveries import Attempted, Delivery, DeliveryState
from digestmail.storage.bulk import update_many
from digestmail.storage.schema import Moment, attempts, deliveries, said
from digestmail.storage.upsert import chunks, insert

_STATES = {state.value: state for state in DeliveryState}
# A scalar subquery, because it is looked up row by row: PostgreSQL makes a join of an EXISTS, and may hash every
# subscriber there is for the sake of thirty deliveries.
_WANTED = """(SELECT true FROM subscribers s
    JOIN editions e ON e.id = {0}.edition_id
    JOIN subscriptions b ON b.digest = e.digest AND b.subscriber_id = s.id
    WHERE s.id = {0}.subscriber_id AND s.state = 'active')"""
# A common table expression is evaluated once; a subquery PostgreSQL may run again for each row, past its LIMIT.
_DUE = f"""WITH due AS (SELECT edition_id, subscriber_id, segment_id, state, attempts, fence, queued_at FROM deliveries
    WHERE due_at <= {{place}} ORDER BY due_at, segment_id, subscriber_id LIMIT {{place}} {{lock}})
SELECT due.edition_id, due.subscriber_id, due.segment_id, due.state, due.attempts, due.fence, due.queued_at,
    people.address, {_WANTED.format("due")}
FROM due JOIN subscribers people ON people.id = due.subscriber_id"""  # noqa: S608 - no foreign text in it
_LEASE_COLUMNS = {"until": "timestamptz", "edition_id": "int", "subscriber_id": "int"}
_LEASE = """UPDATE deliveries AS d SET fence = d.fence + 1, due_at = t.until FROM {rows}
WHERE d.edition_id = t.edition_id AND d.subscriber_id = t.subscriber_id"""
_ARM_COLUMNS = {
    "attempts": "int",
    "edition_id": "int",
    "subscriber_id": "int",
    "fence": "int",
    "until": "timestamptz",
}
_ARM = f"""UPDATE deliveries AS d SET state = 'sending', attempts = t.attempts FROM {{rows}}
WHERE d.edition_id = t.edition_id AND d.subscriber_id = t.subscriber_id AND d.fence = t.fence
    AND d.state IN ('queued', 'deferred', 'sending') AND d.due_at > t.until
    AND {_WANTED.format("d")}"""  # noqa: S608 - no foreign text in it
_RECORD_COLUMNS = {
    "state": "text",
    "attempts": "int",
    "due_at": "timestamptz",
    "ended_at": "timestamptz",
    "code": "int",
    "text": "text",
    "milliseconds": "int",
    "edition_id": "int",
    "subscriber_id": "int",
    "fence": "int",
}
_RECORD = """UPDATE deliveries AS d SET state = t.state, attempts = t.attempts, due_at = t.due_at,
    ended_at = t.ended_at, code = t.code, text = t.text, milliseconds = t.milliseconds FROM {rows}
WHERE d.edition_id = t.edition_id AND d.subscriber_id = t.subscriber_id AND d.fence = t.fence
    AND d.due_at IS NOT NULL"""


_REOPEN_COLUMNS = {
    "due_at": "timestamptz",
    "edition_id": "int",
    "subscriber_id": "int",
    "fence": "int",
}
_REOPEN = """UPDATE deliveries AS d SET state = 'deferred', due_at = t.due_at, ended_at = NULL FROM {rows}
WHERE d.edition_id = t.edition_id AND d.subscriber_id = t.subscriber_id AND d.fence = t.fence
    AND d.state = 'failed'"""


def claim(connection: Connection, now: datetime, lease: timedelta, limit: int) -> tuple[Delivery, ...]:
    """Claim at most `limit` deliveries that are due, those due longest first; nobody else gets them for `lease`.

    A claim raises the fence and moves the due time behind the lease, so that a worker that dies gives it back; the
    state stays. One that is already `sending` belonged to a worker that died with the message on the wire, or nearly.
    """
    moment = Moment()
    bound = partial(moment.process_bind_param, dialect=connection.dialect)

    @lru_cache(maxsize=8)
    def aware(stored: Any) -> datetime:
        return cast("datetime", moment.process_result_value(stored, connection.dialect))

    postgresql = connection.dialect.name == "postgresql"
    statement = _DUE.format(lock="FOR UPDATE SKIP LOCKED" if postgresql else "", place="%s" if postgresql else "?")
    rows = connection.exec_driver_sql(statement, (bound(now), limit)).fetchall()
    if not rows:
        return ()
    until = bound(now + lease)
    update_many(connection, _LEASE, _LEASE_COLUMNS, [(until, row[0], row[1]) for row in rows])
    return tuple(
        Delivery(
            edition_id=edition_id,
            subscriber_id=subscriber_id,
            segment_id=segment_id,
            state=_STATES[state],
            attempts=begun if state == "sending" else begun + 1,
            fence=fence + 1,
            queued_at=aware(queued_at),
            address=address,
            wanted=bool(wanted),
        )
        for edition_id, subscriber_id, segment_id, state, begun, fence, queued_at, address, wanted in sorted(
            rows, key=itemgetter(2, 1)
        )
    )


def record_intent(
    connection: Connection, claimed: Sequence[Delivery], until: datetime
) -> frozenset[tuple[int, int, int]]:
    """Write down the intent to send: from here on a message may be on the wire. Return the claims that may be sent.

    This is the last look before it: the fence must hold, the lease must run beyond `until`, and the subscriber must
    still be active and subscribed. Doing it again, after a commit whose answer was lost, gives the same result.
    """
    moment = Moment().process_bind_param(until, connection.dialect)
    rows = [(one.attempts, one.edition_id, one.subscriber_id, one.fence, moment) for one in claimed]
    if update_many(connection, _ARM, _ARM_COLUMNS, rows) == len(claimed):
        return frozenset(one.claim for one in claimed)
    standing = _standing(connection, claimed)
    return frozenset(one.claim for one in claimed if standing.get(one.claim) is DeliveryState.SENDING)


def record(
    connection: Connection, results: Sequence[tuple[Delivery, Attempted]], now: datetime
) -> tuple[Delivery, ...]:
    """Record what became of claimed deliveries; return those nothing was written of, for another worker has them now.

    An attempt that did not end its delivery is kept in `attempts` besides. Doing it again gives the same result.
    """
    if not results:
        return ()
    _keep_attempts(connection, [result for result in results if result[1].kept], now)
    moment = partial(Moment().process_bind_param, dialect=connection.dialect)
    ended_at = moment(now)
    rows = [_values(delivery, attempted, moment(attempted.due_at), ended_at) for delivery, attempted in results]
    if update_many(connection, _RECORD, _RECORD_COLUMNS, rows) == len(results):
        return ()
    standing = _standing(connection, [delivery for delivery, _ in results])
    return tuple(delivery for delivery, attempted in results if standing.get(delivery.claim) is not attempted.state)


def reopen(connection: Connection, failed: Sequence[tuple[Delivery, Attempted]], now: datetime) -> int:
    """Open deliveries again that had failed, and that nobody has touched since; return how many.

    The attempt that had ended them is kept in `attempts`. Doing it again changes nothing.
    """
    if not failed:
        return 0
    _keep_attempts(connection, failed, now)
    moment = partial(Moment().process_bind_param, dialect=connection.dialect)
    rows = [(moment(result.due_at), one.edition_id, one.subscriber_id, one.fence) for one, result in failed]
    return update_many(connection, _REOPEN, _REOPEN_COLUMNS, rows)


def _values(delivery: Delivery, attempted: Attempted, due_at: Any, ended_at: Any) -> tuple[Any, ...]:
    return (
        str(attempted.state),
        delivery.attempts - (not attempted.begun),
        due_at,
        ended_at if due_at is None else None,
        attempted.code,
        said(attempted.text) or None,
        attempted.milliseconds,
        delivery.edition_id,
        delivery.subscriber_id,
        delivery.fence,
    )


def _keep_attempts(connection: Connection, results: Sequence[tuple[Delivery, Attempted]], now: datetime) -> None:
    if not results:
        return
    rows = [
        {
            "edition_id": delivery.edition_id,
            "subscriber_id": delivery.subscriber_id,
            "number": delivery.attempts,
            "state": attempted.kept,
            "at": now,
            "code": attempted.code,
            "text": attempted.text or None,
            "milliseconds": attempted.milliseconds,
        }
        for delivery, attempted in results
    ]
    connection.execute(insert(connection, attempts).on_conflict_do_nothing(), rows)


def _standing(connection: Connection, claimed: Sequence[Delivery]) -> dict[tuple[int, int, int], DeliveryState]:
    """Return the state of each claim that still holds."""
    found: dict[tuple[int, int, int], DeliveryState] = {}
    d = deliveries.c
    for some in chunks(claimed):
        rows = connection.execute(
            select(d.edition_id, d.subscriber_id, d.fence, d.state)
            .where(d.edition_id.in_({one.edition_id for one in some}))
            .where(d.subscriber_id.in_({one.subscriber_id for one in some}))
        )
        found |= {(row.edition_id, row.subscriber_id, row.fence): DeliveryState(row.state) for row in rows}
    return found
