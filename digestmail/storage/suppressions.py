"""Suppressions: addresses nothing is sent to. A row outlives its subscriber."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from digestmail.model import SubscriberState, SuppressionReason
from digestmail.storage import bounces, deliveries
from digestmail.storage.inserting import chunks, insert
from digestmail.storage.schema import subscribers, suppressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address nothing is sent to: `key` is the casefolded address, or `sha256:` and a keyed hash of it."""

    key: str
    reason: SuppressionReason
    detail: str
    created_at: datetime


def add(connection: Connection, key: str, reason: SuppressionReason, detail: str, now: datetime) -> None:
    """Suppress `key`, cancel what waits for it, and mark its subscriber; an earlier suppression keeps its reason."""
    statement = insert(connection, suppressions).values(key=key, reason=reason, detail=detail, created_at=now)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
    subscriber_id = connection.execute(select(subscribers.c.id).where(subscribers.c.key == key)).scalar()
    if subscriber_id is not None:
        connection.execute(
            update(subscribers)
            .where(subscribers.c.id == subscriber_id)
            .values(state=SubscriberState.SUPPRESSED, updated_at=now)
        )
        deliveries.cancel(connection, subscriber_id, f"suppressed: {reason}", now)


def remove(connection: Connection, key: str, now: datetime) -> bool:
    """Lift a suppression; its subscriber is then unsubscribed and may confirm anew. Return whether there was one.

    What bounced until now is forgiven, or the next soft bounce would suppress the address again.
    """
    bounces.forgive(connection, key)
    gone = connection.execute(delete(suppressions).where(suppressions.c.key == key)).rowcount
    connection.execute(
        update(subscribers)
        .where(subscribers.c.key == key, subscribers.c.state == SubscriberState.SUPPRESSED)
        .values(state=SubscriberState.UNSUBSCRIBED, updated_at=now)
    )
    return gone > 0


def among(connection: Connection, keys: Iterable[str]) -> dict[str, SuppressionReason]:
    """Return which of `keys` are suppressed, and why."""
    found: dict[str, SuppressionReason] = {}
    for some in chunks(list(keys)):
        rows = connection.execute(select(suppressions.c.key, suppressions.c.reason).where(suppressions.c.key.in_(some)))
        found.update({row.key: SuppressionReason(row.reason) for row in rows})
    return found


def list_all(connection: Connection) -> Iterator[Suppression]:
    """Yield every suppression, the newest first."""
    rows = connection.execute(select(suppressions).order_by(suppressions.c.created_at.desc(), suppressions.c.key))
    for row in rows:
        yield Suppression(
            key=row.key, reason=SuppressionReason(row.reason), detail=row.detail, created_at=row.created_at
        )
