"""Deliveries somebody has to look at: ambiguous ones, failed ones, and every attempt made at one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select, union_all, update

from digestmail.model.deliveries import DeliveryState, Unfinished
from digestmail.storage.archive import is_of
from digestmail.storage.schema import attempts, deliveries, editions, notices, subscribers

_CHUNK = 1000
RETRIED = (DeliveryState.AMBIGUOUS, DeliveryState.FAILED)
"""The states from which `retry` puts a message back into the outbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    """A delivery as it stands."""

    digest: str
    slot: str
    subscriber_id: int
    address: str
    state: DeliveryState
    attempts: int
    queued_at: datetime
    due_at: datetime | None
    ended_at: datetime | None
    code: int | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAttempt:
    """One attempt at a delivery: as what it ended, when, and what the server said after how long."""

    number: int
    state: DeliveryState
    at: datetime
    code: int | None
    text: str
    milliseconds: int | None


def list_deliveries(
    connection: Connection,
    *,
    state: DeliveryState | None = None,
    digest: str | None = None,
    slot: str | None = None,
    subscriber_id: int | None = None,
) -> Iterator[StoredDelivery]:
    """Yield deliveries, the newest editions first, at flat memory."""
    d = deliveries.c
    statement = (
        select(deliveries, subscribers.c.address, editions.c.digest, editions.c.slot)
        .join(subscribers, subscribers.c.id == d.subscriber_id)
        .join(editions, editions.c.id == d.edition_id)
        .order_by(d.edition_id.desc(), d.subscriber_id)
    )
    for column, value in (
        (d.state, state),
        (editions.c.slot, slot),
        (d.subscriber_id, subscriber_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if digest is not None:
        statement = statement.where(is_of(digest))
    for row in connection.execute(statement.execution_options(yield_per=_CHUNK)):
        yield StoredDelivery(
            digest=row.digest,
            slot=row.slot,
            subscriber_id=row.subscriber_id,
            address=row.address,
            state=DeliveryState(row.state),
            attempts=row.attempts,
            queued_at=row.queued_at,
            due_at=row.due_at,
            ended_at=row.ended_at,
            code=row.code,
            text=row.text or "",
        )


def attempts_of(connection: Connection, digest: str, slot: str, subscriber_id: int) -> tuple[StoredAttempt, ...]:
    """Return every attempt at a delivery, the first one first; the one that ended it stands in the delivery itself."""
    a, d = attempts.c, deliveries.c
    edition = select(editions.c.id).where(editions.c.digest == digest, editions.c.slot == slot).scalar_subquery()
    kept = select(a.number, a.state, a.at, a.code, a.text, a.milliseconds).where(
        a.edition_id == edition, a.subscriber_id == subscriber_id
    )
    last = select(d.attempts, d.state, d.ended_at, d.code, d.text, d.milliseconds).where(
        d.edition_id == edition,
        d.subscriber_id == subscriber_id,
        d.state.in_((DeliveryState.SENT, DeliveryState.FAILED)),
        d.attempts > 0,
    )
    return as_attempts(connection.execute(union_all(kept, last).order_by("number")))


def resolve(
    connection: Connection, digest: str, slot: str, subscriber_id: int | None, state: DeliveryState, now: datetime
) -> int:
    """Resolve ambiguous deliveries of an edition, all or one subscriber's, as `sent` or `failed`; return how many."""
    chosen = _chosen(digest, slot, subscriber_id, (DeliveryState.AMBIGUOUS,))
    text = f"resolved by the operator as {state}"
    done = connection.execute(
        update(deliveries).where(*chosen).values(state=state, ended_at=now, due_at=None, text=text)
    )
    return done.rowcount


def count(connection: Connection, meant: Unfinished) -> int:
    """Return how many deliveries `retry` would put back into the outbox."""
    return count_rows(connection, deliveries, _conditions(meant))


def count_cancelled(connection: Connection, meant: Unfinished) -> int:
    """Return how many of the deliveries that are meant were cancelled, which `retry` leaves alone."""
    return count_rows(connection, deliveries, _conditions(meant, (DeliveryState.CANCELLED,)))


def retry(connection: Connection, meant: Unfinished, now: datetime) -> int:
    """Put ambiguous and failed deliveries back into the outbox, due at once; return how many.

    They are sent with the Message-ID they had.
    """
    return put_back(connection, deliveries, _conditions(meant), now)


def _conditions(meant: Unfinished, states: Sequence[DeliveryState] = RETRIED) -> list[ColumnElement[bool]]:
    conditions = unfinished(deliveries, meant, states)
    editions_meant = select(editions.c.id)
    if meant.digest is not None:
        editions_meant = editions_meant.where(is_of(meant.digest))
    if meant.slot is not None:
        editions_meant = editions_meant.where(editions.c.slot == meant.slot)
    if meant.digest is not None or meant.slot is not None:
        conditions.append(deliveries.c.edition_id.in_(editions_meant))
    return conditions


# -- the same for deliveries and notices -----------------------------------------------------------------------------


def unfinished(table: Table, meant: Unfinished, states: Sequence[DeliveryState] = RETRIED) -> list[ColumnElement[bool]]:
    """Return the conditions for the rows of `table` in `states` that are meant, except for digest and slot."""
    c = table.c
    conditions: list[ColumnElement[bool]] = [c.state.in_(states)]
    if meant.code is not None:
        conditions.append(c.code == meant.code)
    if meant.text is not None:
        conditions.append(c.text.icontains(meant.text, autoescape=True))
    if meant.subscriber_id is not None:
        conditions.append(c.subscriber_id == meant.subscriber_id)
    return conditions


def count_rows(connection: Connection, table: Table, conditions: Sequence[ColumnElement[bool]]) -> int:
    """Return how many rows meet the conditions."""
    return int(connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one())


def put_back(connection: Connection, table: Table, conditions: Sequence[ColumnElement[bool]], now: datetime) -> int:
    """Make rows due at once; return how many. Whoever claimed one before may no longer record anything."""
    values = {"state": DeliveryState.DEFERRED, "due_at": now, "queued_at": now, "ended_at": None}
    done = connection.execute(update(table).where(*conditions).values(**values, fence=table.c.fence + 1))
    return done.rowcount


def as_attempts(rows: Iterable[Row[Any]]) -> tuple[StoredAttempt, ...]:
    """Return attempts from rows with `number`, `state`, `at`, `code`, `text` and `milliseconds`."""
    return tuple(
        StoredAttempt(
            number=row.number,
            state=DeliveryState(row.state),
            at=row.at,
            code=row.code,
            text=row.text or "",
            milliseconds=row.milliseconds,
        )
        for row in rows
    )


def cancel_open(connection: Connection, why: str, now: datetime) -> int:
    """Cancel every open delivery; return how many."""
    done = connection.execute(
        update(deliveries)
        .where(deliveries.c.due_at.is_not(None))
        .values(state=DeliveryState.CANCELLED, due_at=None, ended_at=now, text=why, fence=deliveries.c.fence + 1)
    )
    return done.rowcount


def make_due(connection: Connection, now: datetime) -> int:
    """Make what waits after a refusal or an outage due at once, notices included; return how many emails are due.

    What was given back before its first attempt is still queued, but waits beyond the time it was queued for; what
    waits for the hour its reader chose does not.
    """
    d, n = deliveries.c, notices.c
    waits = (d.state == DeliveryState.DEFERRED) | ((d.state == DeliveryState.QUEUED) & (d.queued_at <= now))
    # A notice that was claimed before waits for a server; a new one may wait for its own moment.
    put_off = (n.state == DeliveryState.DEFERRED) | ((n.state == DeliveryState.QUEUED) & (n.fence > 0))
    connection.execute(update(notices).where(n.due_at > now, put_off).values(due_at=now, fence=n.fence + 1))
    connection.execute(update(deliveries).where(d.due_at > now, waits).values(due_at=now, fence=d.fence + 1))
    return sum(connection.execute(select(func.count()).where(due <= now)).scalar_one() for due in (d.due_at, n.due_at))


def _chosen(
    digest: str, slot: str, subscriber_id: int | None, states: tuple[DeliveryState, ...]
) -> list[ColumnElement[bool]]:
    d = deliveries.c
    edition = select(editions.c.id).where(editions.c.digest == digest, editions.c.slot == slot)
    conditions: list[ColumnElement[bool]] = [d.edition_id.in_(edition), d.state.in_(states)]
    if subscriber_id is not None:
        conditions.append(d.subscriber_id == subscriber_id)
    return conditions
