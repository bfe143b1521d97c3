"""Deliveries that were cancelled, and are queued again because the operator or the reader asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, exists, select, update

from digestmail.model.deliveries import DeliveryState
from digestmail.storage.schema import attempts, deliveries


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """A cancelled delivery of an edition."""

    subscriber_id: int
    why: str
    cancelled_at: datetime | None
    may_have_arrived: bool
    """Whether the outcome of an earlier attempt is unknown."""


def cancelled(connection: Connection, edition_id: int, subscriber_id: int | None = None) -> tuple[Cancelled, ...]:
    """Return the cancelled deliveries of an edition, all or one subscriber's."""
    d, a = deliveries.c, attempts.c
    unknown = exists().where(
        a.edition_id == d.edition_id, a.subscriber_id == d.subscriber_id, a.state == DeliveryState.AMBIGUOUS
    )
    statement = select(d.subscriber_id, d.text, d.ended_at, unknown.label("unknown")).where(
        d.edition_id == edition_id, d.state == DeliveryState.CANCELLED
    )
    if subscriber_id is not None:
        statement = statement.where(d.subscriber_id == subscriber_id)
    return tuple(
        Cancelled(
            subscriber_id=row.subscriber_id,
            why=row.text or "",
            cancelled_at=row.ended_at,
            may_have_arrived=bool(row.unknown),
        )
        for row in connection.execute(statement)
    )


def queue_again(connection: Connection, edition_id: int, subscriber_id: int, segment_id: int, now: datetime) -> bool:
    """Queue a cancelled delivery again, with the content of a segment; return whether it was still cancelled."""
    d = deliveries.c
    waiting = case((d.attempts == 0, DeliveryState.QUEUED.value), else_=DeliveryState.DEFERRED.value)
    queued = connection.execute(
        update(deliveries)
        .where(d.edition_id == edition_id, d.subscriber_id == subscriber_id, d.state == DeliveryState.CANCELLED)
        .values(
            segment_id=segment_id,
            picks=None,
            state=waiting,
            due_at=now,
            queued_at=now,
            ended_at=None,
            text=None,
            fence=d.fence + 1,
        )
    )
    return bool(queued.rowcount)
