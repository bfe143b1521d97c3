"""Deliveries: the outbox, and what became of each of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import chain, islice
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Connection, func, select, update

from digestmail.errors import StorageError
from digestmail.model import Attempted, Delivery, DeliveryState
from digestmail.storage.inserting import chunks, insert
from digestmail.storage.schema import Moment, attempts, deliveries, editions, said

_CHUNK = 10_000
_ROWS_A_STATEMENT = 200
_QUEUED_COLUMNS = "edition_id, subscriber_id, segment_id, state, attempts, due_at, fence, queued_at"
_WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
_ENDED = frozenset(DeliveryState) - {DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED}


def enqueue(connection: Connection, rows: Iterable[tuple[int, int, datetime]], edition_id: int) -> int:
    """Queue one delivery for each (subscriber id, segment id, due at); return how many.

    A million of them go straight to the driver: SQLAlchemy's care for each value would take most of the time.
    """
    moments = _Moments(connection)
    queued = ((subscriber_id, segment_id, moments[due_at]) for subscriber_id, segment_id, due_at in rows)
    insert_rows = _copy if connection.dialect.name == "postgresql" else _insert_many
    total = 0
    while chunk := list(islice(queued, _CHUNK)):
        insert_rows(connection, edition_id, chunk)
        total += len(chunk)
    return total


class _Moments(dict[datetime, Any]):
    """Times as the driver takes them. A million deliveries are due at a few: each is converted once."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._dialect = connection.dialect

    def __missing__(self, moment: datetime) -> Any:
        self[moment] = Moment().process_bind_param(moment, self._dialect)
        return self[moment]


def _insert_many(connection: Connection, edition_id: int, rows: list[tuple[int, int, Any]]) -> None:
    """Insert many rows a statement: SQLite takes longer to begin a statement than to add a row."""
    for some in chunks(rows, _ROWS_A_STATEMENT):
        connection.exec_driver_sql(_insertion(len(some)), (edition_id, *chain.from_iterable(some)))


@lru_cache(maxsize=2)
def _insertion(count: int) -> str:
    places = ", ".join(
        f"(?1, ?{n}, ?{n + 1}, '{DeliveryState.QUEUED}', 0, ?{n + 2}, 0, ?{n + 2})" for n in range(2, 3 * count + 2, 3)
    )
    return f"INSERT INTO deliveries ({_QUEUED_COLUMNS}) VALUES {places}"  # noqa: S608 - no foreign text in it


def _copy(connection: Connection, edition_id: int, rows: list[tuple[int, int, Any]]) -> None:
    import psycopg

    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"COPY needs psycopg, this is {type(driver).__name__}")
    state = DeliveryState.QUEUED.value
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY deliveries ({_QUEUED_COLUMNS}) FROM STDIN") as copy:
            for subscriber_id, segment_id, due_at in rows:
                copy.write_row((edition_id, subscriber_id, segment_id, state, 0, due_at, 0, due_at))
    except psycopg.Error as error:
        # SQLAlchemy does not see this error and cannot translate it.
        raise StorageError(f"deliveries could not be queued: {error}") from error


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
    if postgresql:
        columns = [list(column) for column in zip(*((row[0], row[1]) for row in rows), strict=True)]
        connection.exec_driver_sql(_LEASE_ARRAYS, (bound(now + lease), *columns))
    else:
        until = bound(now + lease)
        connection.exec_driver_sql(_LEASE, [(until, row[0], row[1]) for row in rows])
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


_STATES = {state.value: state for state in DeliveryState}
_WANTED = """EXISTS (SELECT 1 FROM subscribers s
    JOIN editions e ON e.id = {0}.edition_id
    JOIN subscriptions b ON b.digest = e.digest AND b.subscriber_id = s.id
    WHERE s.id = {0}.subscriber_id AND s.state = 'active')"""
# A common table expression is evaluated once; a subquery PostgreSQL may run again for each row, past its LIMIT.
_DUE = f"""WITH due AS (SELECT edition_id, subscriber_id, segment_id, state, attempts, fence, queued_at FROM deliveries
    WHERE due_at <= {{place}} ORDER BY due_at, segment_id, subscriber_id LIMIT {{place}} {{lock}})
SELECT due.edition_id, due.subscriber_id, due.segment_id, due.state, due.attempts, due.fence, due.queued_at,
    people.address, {_WANTED.format("due")}
FROM due JOIN subscribers people ON people.id = due.subscriber_id"""  # noqa: S608 - no foreign text in it
_LEASE = "UPDATE deliveries SET fence = fence + 1, due_at = ? WHERE edition_id = ? AND subscriber_id = ?"
_LEASE_ARRAYS = """UPDATE deliveries d SET fence = d.fence + 1, due_at = %s
FROM unnest(%s::int[], %s::int[]) AS t(edition_id, subscriber_id)
WHERE d.edition_id = t.edition_id AND d.subscriber_id = t.subscriber_id"""


def arm(connection: Connection, claimed: Sequence[Delivery], until: datetime) -> frozenset[tuple[int, int]]:
    """Write down the intent to send: from here on a message may be on the wire. Return the keys that may be sent.

    This is the last look before it: the fence must hold, the lease must run beyond `until`, and the subscriber must
    still be active and subscribed. Doing it again, after a commit whose answer was lost, gives the same result.
    """
    if connection.dialect.name == "postgresql":
        return _arm_arrays(connection, claimed, until)
    moment = Moment().process_bind_param(until, connection.dialect)
    rows = [(one.attempts, one.edition_id, one.subscriber_id, one.fence, moment) for one in claimed]
    done = connection.exec_driver_sql(_ARM, rows).rowcount
    if done == len(claimed):
        return frozenset((one.edition_id, one.subscriber_id) for one in claimed)
    return frozenset(
        key for key, (fence, state) in _standing(connection, claimed).items() if state == "sending" and fence
    )


_ARM = f"""UPDATE deliveries SET state = 'sending', attempts = ?
WHERE edition_id = ? AND subscriber_id = ? AND fence = ? AND state IN ('queued', 'deferred', 'sending') AND due_at > ?
    AND {_WANTED.format("deliveries")}"""  # noqa: S608 - no foreign text in it
_ARM_ARRAYS = f"""UPDATE deliveries d SET state = 'sending', attempts = t.attempts
FROM unnest(%s::int[], %s::int[], %s::int[], %s::int[]) AS t(attempts, edition_id, subscriber_id, fence)
WHERE d.edition_id = t.edition_id AND d.subscriber_id = t.subscriber_id AND d.fence = t.fence
    AND d.state IN ('queued', 'deferred', 'sending') AND d.due_at > %s AND {_WANTED.format("d")}
RETURNING d.edition_id, d.subscriber_id"""  # noqa: S608 - no foreign text in it


def _arm_arrays(connection: Connection, claimed: Sequence[Delivery], until: datetime) -> frozenset[tuple[int, int]]:
    columns = zip(*((one.attempts, one.edition_id, one.subscriber_id, one.fence) for one in claimed), strict=True)
    rows = connection.exec_driver_sql(_ARM_ARRAYS, (*map(list, columns), until))
    return frozenset((row[0], row[1]) for row in rows)


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
    if connection.dialect.name == "postgresql":
        columns = map(list, zip(*rows, strict=True))
        done = connection.exec_driver_sql(_RECORD_ARRAYS, tuple(columns)).rowcount
    else:
        done = connection.exec_driver_sql(_RECORD, rows).rowcount
    if done == len(results):
        return ()
    standing = _standing(connection, [delivery for delivery, _ in results])
    return tuple(
        delivery
        for delivery, attempted in results
        if standing.get((delivery.edition_id, delivery.subscriber_id)) != (True, attempted.state)
    )


_RECORD = """UPDATE deliveries
SET state = ?, attempts = ?, due_at = ?, ended_at = ?, code = ?, text = ?, milliseconds = ?
WHERE edition_id = ? AND subscriber_id = ? AND fence = ? AND due_at IS NOT NULL"""
_RECORD_ARRAYS = """UPDATE deliveries d SET state = t.state, attempts = t.attempts, due_at = t.due_at,
    ended_at = t.ended_at, code = t.code, text = t.text, milliseconds = t.milliseconds
FROM unnest(%s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[], %s::int[], %s::text[], %s::int[], %s::int[],
    %s::int[], %s::int[])
    AS t(state, attempts, due_at, ended_at, code, text, milliseconds, edition_id, subscriber_id, fence)
WHERE d.edition_id = t.edition_id AND d.subscriber_id = t.subscriber_id AND d.fence = t.fence
    AND d.due_at IS NOT NULL"""


def _values(delivery: Delivery, attempted: Attempted, due_at: Any, ended_at: Any) -> tuple[Any, ...]:
    return (
        attempted.state.value,
        delivery.attempts - (not attempted.begun),
        due_at,
        ended_at if attempted.state in _ENDED else None,
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


def _standing(connection: Connection, claimed: Sequence[Delivery]) -> dict[tuple[int, int], tuple[bool, DeliveryState]]:
    """Return for each delivery whether our fence still holds, and its state."""
    found: dict[tuple[int, int], tuple[bool, DeliveryState]] = {}
    d = deliveries.c
    for some in chunks(claimed):
        fences = {(one.edition_id, one.subscriber_id): one.fence for one in some}
        rows = connection.execute(
            select(d.edition_id, d.subscriber_id, d.fence, d.state)
            .where(d.edition_id.in_({one.edition_id for one in some}))
            .where(d.subscriber_id.in_({one.subscriber_id for one in some}))
        )
        for row in rows:
            key = row.edition_id, row.subscriber_id
            if key in fences:
                found[key] = fences[key] == row.fence, DeliveryState(row.state)
    return found


def cancel(
    connection: Connection,
    subscriber_id: int,
    why: str,
    now: datetime,
    *,
    digest: str | None = None,
    due_before: datetime | None = None,
) -> int:
    """Cancel what waits for a subscriber, of one digest or due before a time if given; return how many.

    What is on the wire already is left to its worker.
    """
    d = deliveries.c
    statement = update(deliveries).where(d.subscriber_id == subscriber_id, d.state.in_(_WAITING))
    if digest is not None:
        statement = statement.where(d.edition_id.in_(select(editions.c.id).where(editions.c.digest == digest)))
    if due_before is not None:
        statement = statement.where(d.due_at < due_before)
    cancelled = statement.values(state=DeliveryState.CANCELLED, due_at=None, ended_at=now, text=why)
    return connection.execute(cancelled).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A delivery nobody holds."""

    edition_id: int
    subscriber_id: int
    attempts: int
    fence: int


def waiting(connection: Connection, subscriber_id: int, digest: str) -> tuple[Waiting, ...]:
    """Return what waits for a subscriber of one digest."""
    d = deliveries.c
    rows = connection.execute(
        select(d.edition_id, d.attempts, d.fence)
        .join(editions, editions.c.id == d.edition_id)
        .where(d.subscriber_id == subscriber_id, d.state.in_(_WAITING), editions.c.digest == digest)
        .order_by(d.edition_id)
    )
    return tuple(
        Waiting(edition_id=row.edition_id, subscriber_id=subscriber_id, attempts=row.attempts, fence=row.fence)
        for row in rows
    )


def move(connection: Connection, one: Waiting, segment_id: int | None, now: datetime) -> None:
    """Put a waiting delivery into another segment; None cancels it. One that was claimed meanwhile stays as it is."""
    if segment_id is None:
        _change(connection, one, state=DeliveryState.CANCELLED, due_at=None, ended_at=now, text="other topics chosen")
    else:
        _change(connection, one, segment_id=segment_id)


def postpone(connection: Connection, one: Waiting, due_at: datetime) -> None:
    """Make a waiting delivery due at another time, and count from then."""
    _change(connection, one, due_at=due_at, queued_at=due_at)


def _change(connection: Connection, one: Waiting, **values: Any) -> None:
    d = deliveries.c
    connection.execute(
        update(deliveries)
        .where(d.edition_id == one.edition_id, d.subscriber_id == one.subscriber_id)
        .where(d.fence == one.fence, d.state.in_(_WAITING))
        .values(**values)
    )


def counts(connection: Connection, edition_id: int | None = None) -> dict[DeliveryState, int]:
    """Return how many deliveries, of one edition or of all, stand in each state that occurs."""
    statement = select(deliveries.c.state, func.count()).group_by(deliveries.c.state).order_by(deliveries.c.state)
    if edition_id is not None:
        statement = statement.where(deliveries.c.edition_id == edition_id)
    return {DeliveryState(state): count for state, count in connection.execute(statement)}


def unbalanced(connection: Connection) -> tuple[str, ...]:
    """Return the editions whose deliveries are not as many as were queued, as `digest slot: ...`; none is right."""
    standing = select(deliveries.c.edition_id, func.count().label("rows")).group_by(deliveries.c.edition_id).subquery()
    rows = connection.execute(
        select(
            editions.c.digest, editions.c.slot, editions.c.recipients, func.coalesce(standing.c.rows, 0).label("rows")
        )
        .join(standing, standing.c.edition_id == editions.c.id, isouter=True)
        .where(editions.c.recipients.is_not(None))
        .where(editions.c.recipients != func.coalesce(standing.c.rows, 0))
        .order_by(editions.c.id)
    )
    return tuple(f"{row.digest} {row.slot}: {row.recipients} recipients, {row.rows} deliveries" for row in rows)


def next_due(connection: Connection) -> datetime | None:
    """Return when the next open delivery is due; None when the outbox is empty."""
    moment: datetime | None = connection.execute(select(func.min(deliveries.c.due_at))).scalar()
    return moment


def segment_of(connection: Connection, edition_id: int, subscriber_id: int) -> int | None:
    """Return the number of the segment a subscriber gets, or got, of an edition; None if there is no delivery."""
    statement = select(deliveries.c.segment_id).where(
        deliveries.c.edition_id == edition_id, deliveries.c.subscriber_id == subscriber_id
    )
    found: int | None = connection.execute(statement).scalar()
    return found
