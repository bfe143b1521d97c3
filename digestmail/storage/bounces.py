"""Bounces and complaints, as far as they count: one row a report."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, exists, select, update

from digestmail.model import BounceEvent, BounceKind, CountedBounce
from digestmail.storage.inserting import insert
from digestmail.storage.schema import bounces, deliveries, subscribers


def add(connection: Connection, event: BounceEvent, now: datetime) -> bool:
    """Keep one report; False, and nothing kept, if it is known already. Its subscriber must exist."""
    row = insert(connection, bounces).values(
        subscriber_id=event.subscriber_id,
        edition_id=event.edition_id,
        # There are servers whose Message-IDs repeat: a report is one about one delivery.
        report=f"{event.subscriber_id}:{event.edition_id or 0}:{event.report}",
        kind=event.kind,
        status=event.status,
        detail=event.detail,
        at=now,
    )
    kept = row.on_conflict_do_nothing(index_elements=["report"]).returning(bounces.c.id)
    return connection.execute(kept).first() is not None


def of_subscriber(connection: Connection, subscriber_id: int) -> list[CountedBounce]:
    """Return the reports about a subscriber, the oldest first."""
    rows = connection.execute(
        select(bounces.c.kind, bounces.c.at, bounces.c.edition_id)
        .where(bounces.c.subscriber_id == subscriber_id)
        .order_by(bounces.c.at, bounces.c.id)
    )
    return [CountedBounce(kind=BounceKind(row.kind), at=row.at, edition_id=row.edition_id) for row in rows]


def whose(connection: Connection, subscriber_id: int) -> str | None:
    """Return the key of a subscriber's address; None if there is no such subscriber any more."""
    key: str | None = connection.execute(select(subscribers.c.key).where(subscribers.c.id == subscriber_id)).scalar()
    return key


def is_of_earlier_address(connection: Connection, event: BounceEvent) -> bool:
    """Return whether the delivery an event is about was queued before its subscriber changed their address."""
    d, s = deliveries.c, subscribers.c
    earlier = exists().where(
        s.id == event.subscriber_id,
        d.subscriber_id == s.id,
        d.edition_id == event.edition_id,
        d.ended_at < s.readdressed_at,
    )
    return event.edition_id is not None and bool(connection.execute(select(earlier)).scalar())


def forgive(connection: Connection, key: str) -> None:
    """Let what was reported about an address count no more; the reports stay known, so that none counts twice."""
    owner = select(subscribers.c.id).where(subscribers.c.key == key)
    connection.execute(update(bounces).where(bounces.c.subscriber_id.in_(owner)).values(kind=BounceKind.FORGIVEN))
