"""Deliveries: the outbox, and what became of each of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection, case, exists, func, select, tuple_, update

from digestmail.errors import StorageError
from digestmail.model import Attempted, Delivery, DeliveryState, SubscriberState
from digestmail.storage.inserting import chunks
from digestmail.storage.schema import Moment, deliveries, editions, subscribers, subscriptions

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

    A claimed delivery is `sending` and due again when the lease has passed, so a worker that dies gives it back.
    """
    d = deliveries.c
    # A common table expression is evaluated once; a subquery PostgreSQL may run again for each row, past its LIMIT.
    due = (
        select(d.edition_id, d.subscriber_id)
        .where(d.due_at <= now)
        .order_by(d.due_at, d.segment_id, d.subscriber_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claimed = connection.execute(
        update(deliveries)
        .where(tuple_(d.edition_id, d.subscriber_id).in_(select(due)))
        .values(state=DeliveryState.SENDING, attempts=d.attempts + 1, fence=d.fence + 1, due_at=now + lease)
        .returning(d.edition_id, d.subscriber_id, d.segment_id, d.attempts, d.fence, d.queued_at)
    ).all()
    looked_up = _look_up(connection, [(row.edition_id, row.subscriber_id) for row in claimed])
    return tuple(
        Delivery(
            edition_id=row.edition_id,
            subscriber_id=row.subscriber_id,
            segment_id=row.segment_id,
            attempts=row.attempts,
            fence=row.fence,
            queued_at=row.queued_at,
            address=looked_up[row.edition_id, row.subscriber_id][0],
            wanted=looked_up[row.edition_id, row.subscriber_id][1],
        )
        for row in sorted(claimed, key=lambda row: (row.segment_id, row.subscriber_id))
    )


def _look_up(connection: Connection, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[str, bool]]:
    """Return the address of each recipient, and whether they are still active and subscribed."""
    subscribed = exists().where(
        subscriptions.c.digest == editions.c.digest, subscriptions.c.subscriber_id == subscribers.c.id
    )
    wanted = case((subscribers.c.state == SubscriberState.ACTIVE, subscribed), else_=False)
    statement = (
        select(deliveries.c.edition_id, deliveries.c.subscriber_id, subscribers.c.address, wanted.label("wanted"))
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .join(editions, editions.c.id == deliveries.c.edition_id)
        # Not by pairs, for which SQLite would read the whole table; what these two let in beside them does no harm.
        .where(deliveries.c.edition_id.in_({edition_id for edition_id, _ in keys}))
        .where(deliveries.c.subscriber_id.in_({subscriber_id for _, subscriber_id in keys}))
    )
    rows = connection.execute(statement) if keys else ()
    return {(row.edition_id, row.subscriber_id): (row.address, bool(row.wanted)) for row in rows}


def record(connection: Connection, delivery: Delivery, attempted: Attempted, now: datetime) -> bool:
    """Record what became of a claimed delivery; False, and nothing recorded, if another worker has it now."""
    return _write(
        connection,
        delivery,
        state=attempted.state,
        code=attempted.code,
        text=attempted.text or None,
        due_at=attempted.due_at,
        ended_at=now if attempted.state in _ENDED else None,
    )


def release(connection: Connection, claimed: Sequence[Delivery], due_at: datetime) -> None:
    """Give deliveries back that were claimed but not attempted."""
    for delivery in claimed:
        state = DeliveryState.DEFERRED if delivery.attempts > 1 else DeliveryState.QUEUED
        _write(connection, delivery, state=state, due_at=due_at, attempts=delivery.attempts - 1)


def _write(connection: Connection, delivery: Delivery, **values: Any) -> bool:
    d = deliveries.c
    written = connection.execute(
        update(deliveries)
        .where(d.edition_id == delivery.edition_id, d.subscriber_id == delivery.subscriber_id)
        .where(d.fence == delivery.fence, d.state == DeliveryState.SENDING)
        .values(**values)
    )
    return written.rowcount == 1


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


def next_due(connection: Connection) -> datetime | None:
    """Return when the next open delivery is due; None when the outbox is empty."""
    moment: datetime | None = connection.execute(select(func.min(deliveries.c.due_at))).scalar()
    return moment
