"""Deliveries: the outbox, and what became of each of its rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal_column, select, update

from digestmail.errors import StorageError
from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import announcement_name
from digestmail.storage.schema import Moment, attempts, deliveries, editions
from digestmail.storage.upsert import chunks

_CHUNK = 10_000
_ROWS_A_STATEMENT = 200
_QUEUED_COLUMNS = "edition_id, subscriber_id, segment_id, picks, state, attempts, due_at, fence, queued_at"
_WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)


def enqueue(
    connection: Connection,
    rows: Iterable[tuple[int, int, datetime]],
    edition_id: int,
    picks: Mapping[int, bytes] = MappingProxyType({}),
) -> int:
    """Queue one delivery for each (subscriber id, segment id, due at); return how many.

    `picks` are by subscriber id, packed as in `storage/picks.py`.

    A million of them go straight to the driver: SQLAlchemy's care for each value would take most of the time.
    """
    moments = _Moments(connection)
    queued = (
        (subscriber_id, segment_id, picks.get(subscriber_id), moments[due_at])
        for subscriber_id, segment_id, due_at in rows
    )
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


def _insert_many(connection: Connection, edition_id: int, rows: list[tuple[int, int, bytes | None, Any]]) -> None:
    """Insert many rows a statement: SQLite takes longer to begin a statement than to add a row."""
    for some in chunks(rows, _ROWS_A_STATEMENT):
        connection.exec_driver_sql(_insertion(len(some)), (edition_id, *chain.from_iterable(some)))


@lru_cache(maxsize=2)
def _insertion(count: int) -> str:
    places = ", ".join(
        f"(?1, ?{n}, ?{n + 1}, ?{n + 2}, '{DeliveryState.QUEUED}', 0, ?{n + 3}, 0, ?{n + 3})"
        for n in range(2, 4 * count + 2, 4)
    )
    return f"INSERT INTO deliveries ({_QUEUED_COLUMNS}) VALUES {places}"  # noqa: S608 - no foreign text in it


def _copy(connection: Connection, edition_id: int, rows: list[tuple[int, int, bytes | None, Any]]) -> None:
    import psycopg

    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError(f"COPY needs psycopg, this is {type(driver).__name__}")
    state = DeliveryState.QUEUED.value
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY deliveries ({_QUEUED_COLUMNS}) FROM STDIN") as copy:
            for subscriber_id, segment_id, picks, due_at in rows:
                copy.write_row((edition_id, subscriber_id, segment_id, picks, state, 0, due_at, 0, due_at))
    except psycopg.Error as error:
        # SQLAlchemy does not see this error and cannot translate it.
        raise StorageError(f"deliveries could not be queued: {error}") from error


def cancel(
    connection: Connection,
    subscriber_id: int,
    why: str,
    now: datetime,
    *,
    digest: str | None = None,
    due_before: datetime | None = None,
    announcements: bool = True,
) -> int:
    """Cancel what waits for a subscriber, of one digest and its variants or due before a time; return how many.

    Without `announcements`, those of `digest` stay. What is on the wire already is left to its worker.
    """
    d = deliveries.c
    statement = update(deliveries).where(d.subscriber_id == subscriber_id, d.state.in_(_WAITING))
    if digest is not None:
        meant = select(editions.c.id).where(editions.c.base == digest)
        if not announcements:
            meant = meant.where(editions.c.digest != announcement_name(digest))
        statement = statement.where(d.edition_id.in_(meant))
    if due_before is not None:
        statement = statement.where(d.due_at < due_before)
    cancelled = statement.values(state=DeliveryState.CANCELLED, due_at=None, ended_at=now, text=why)
    return connection.execute(cancelled).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """An edition that a subscriber does not get, because its delivery was cancelled."""

    digest: str
    composed_at: datetime


def withdrawn(connection: Connection, subscriber_id: int, why: str, cancelled_at: datetime) -> tuple[Withdrawn, ...]:
    """Return the editions that `cancel` took from a subscriber at that time for that reason, except announcements."""
    e = editions.c
    rows = connection.execute(
        select(e.digest, e.base, e.composed_at)
        .join(deliveries, deliveries.c.edition_id == e.id)
        .where(*_cancelled(subscriber_id, why, cancelled_at))
    )
    return tuple(
        Withdrawn(digest=row.digest, composed_at=row.composed_at)
        for row in rows
        if row.digest != announcement_name(row.base)
    )


def _cancelled(subscriber_id: int, why: str, at: datetime) -> tuple[ColumnElement[bool], ...]:
    d = deliveries.c
    return d.subscriber_id == subscriber_id, d.state == DeliveryState.CANCELLED, d.text == why, d.ended_at == at


def restore(connection: Connection, subscriber_id: int, why: str, cancelled_at: datetime, now: datetime) -> int:
    """Make due again what `cancel` took from a subscriber at that time for that reason; return how many."""
    d = deliveries.c
    waiting = case((d.attempts == 0, DeliveryState.QUEUED.value), else_=DeliveryState.DEFERRED.value)
    return connection.execute(
        update(deliveries)
        .where(*_cancelled(subscriber_id, why, cancelled_at))
        .values(state=waiting, due_at=now, ended_at=None, text=None)
    ).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A delivery nobody holds."""

    edition_id: int
    subscriber_id: int
    attempts: int
    fence: int
    picks: bytes | None
    announcement: bool


def waiting(connection: Connection, subscriber_id: int, digest: str) -> tuple[Waiting, ...]:
    """Return what waits for a subscriber of one digest and its variants."""
    d = deliveries.c
    rows = connection.execute(
        select(d.edition_id, d.attempts, d.fence, d.picks, editions.c.digest)
        .join(editions, editions.c.id == d.edition_id)
        .where(d.subscriber_id == subscriber_id, d.state.in_(_WAITING), editions.c.base == digest)
        .order_by(d.edition_id)
    )
    return tuple(
        Waiting(
            edition_id=row.edition_id,
            subscriber_id=subscriber_id,
            attempts=row.attempts,
            fence=row.fence,
            picks=row.picks,
            announcement=row.digest == announcement_name(digest),
        )
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


def open_counts(connection: Connection) -> dict[DeliveryState, int]:
    """Return how many deliveries are in each open state or ambiguous, without reading any that ended otherwise."""
    d = deliveries.c
    statement = select(d.state, func.count()).where(d.due_at.is_not(None)).group_by(d.state).order_by(d.state)
    found = {DeliveryState(state): count for state, count in connection.execute(statement)}
    a = attempts.c
    # Every ambiguous delivery had such an attempt. The value is a literal, so that SQLite uses the index of these.
    tried = select(a.edition_id, a.subscriber_id).where(a.state == literal_column(f"'{DeliveryState.AMBIGUOUS}'"))
    some = tried.distinct().subquery()
    held = (
        select(func.count())
        .select_from(some)
        .join(deliveries, (d.edition_id == some.c.edition_id) & (d.subscriber_id == some.c.subscriber_id))
        .where(d.state == DeliveryState.AMBIGUOUS)
    )
    return found | ({DeliveryState.AMBIGUOUS: count} if (count := connection.scalar(held)) else {})


def ended_counts(connection: Connection, edition_id: int) -> dict[DeliveryState, int]:
    """Return how many deliveries of an edition ended in each state that `open_counts` leaves out."""
    d = deliveries.c
    statement = (
        select(d.state, func.count())
        .where(d.edition_id == edition_id, d.due_at.is_(None), d.state != DeliveryState.AMBIGUOUS)
        .group_by(d.state)
    )
    return {DeliveryState(state): count for state, count in connection.execute(statement)}


def unbalanced(connection: Connection, edition_ids: Collection[int] | None = None) -> tuple[str, ...]:
    """Return the editions whose deliveries are not as many as were queued, as `digest slot: ...`; none is right.

    Reads the deliveries of the editions with these ids, or of all editions.
    """
    if edition_ids is not None and not edition_ids:
        return ()
    d, e = deliveries.c, editions.c
    standing = select(d.edition_id, func.count().label("rows")).group_by(d.edition_id)
    wanted = select(e.digest, e.slot, e.recipients).where(e.recipients.is_not(None)).order_by(e.id)
    if edition_ids is not None:
        standing = standing.where(d.edition_id.in_(edition_ids))
        wanted = wanted.where(e.id.in_(edition_ids))
    found = standing.subquery()
    stored = func.coalesce(found.c.rows, 0)
    rows = connection.execute(
        wanted.add_columns(stored.label("rows"))
        .join(found, found.c.edition_id == e.id, isouter=True)
        .where(e.recipients != stored)
    )
    return tuple(f"{row.digest} {row.slot}: {row.recipients} recipients, {row.rows} deliveries" for row in rows)


def recipients_of(connection: Connection, edition_id: int) -> frozenset[int]:
    """Return the subscribers with a delivery of an edition, whatever became of it."""
    statement = select(deliveries.c.subscriber_id).where(deliveries.c.edition_id == edition_id)
    return frozenset(connection.execute(statement).scalars())


def content_of(connection: Connection, edition_id: int, subscriber_id: int) -> tuple[int, bytes | None] | None:
    """Return the segment and the picks that a subscriber gets, or got, of an edition; None if there is no delivery."""
    d = deliveries.c
    row = connection.execute(
        select(d.segment_id, d.picks).where(d.edition_id == edition_id, d.subscriber_id == subscriber_id)
    ).first()
    return None if row is None else (row.segment_id, row.picks)


def last_sent(connection: Connection, subscriber_id: int, limit: int) -> list[tuple[int, int, bytes | None, datetime]]:
    """Return (edition, segment, picks, sent at) of the last emails that a subscriber was sent, newest first."""
    d = deliveries.c
    sent = d.subscriber_id == subscriber_id, d.state == DeliveryState.SENT, d.ended_at.is_not(None)
    newest = select(d.edition_id, d.segment_id, d.picks, d.ended_at).where(*sent)
    rows = connection.execute(newest.order_by(d.ended_at.desc(), d.edition_id.desc()).limit(limit))
    return [(row.edition_id, row.segment_id, row.picks, row.ended_at) for row in rows]
