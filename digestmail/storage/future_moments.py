"""Every moment that is stored, and how far ahead each may lie; what lies further a clock that was wrong has written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Column, Connection, func, select

from digestmail.schedule.moments import LONGEST_DELIVERY, LONGEST_HOLIDAY, LONGEST_PAUSE, SKEW
from digestmail.storage import schema
from digestmail.storage.host_limits import LONGEST, LONGEST_QUEUE

_PAST: Final = SKEW
_UNLIMITED: Final = None
LIMITS: Final[Mapping[str, timedelta | None]] = {
    # A source names it, and may name any day.
    "papers.published_at": _UNLIMITED,
    "papers.first_seen_at": _PAST,
    "papers.updated_at": _PAST,
    "sightings.seen_at": _PAST,
    "sources.read_at": _PAST,
    "sources.complete_at": _PAST,
    "source_health.read_at": _PAST,
    "source_health.fresh_at": _PAST,
    "source_health.absent_since": _PAST,
    "source_health.reported_at": _PAST,
    "validators.stored_at": _PAST,
    "validators.whole_at": _PAST,
    # Booked behind the end of what a server wished.
    "gates.opens_at": LONGEST + LONGEST_QUEUE,
    "gates.closed_until": LONGEST + SKEW,
    "subscribers.paused_until": LONGEST_HOLIDAY,
    "subscribers.consent_at": _PAST,
    "subscribers.created_at": _PAST,
    "subscribers.updated_at": _PAST,
    "subscribers.readdressed_at": _PAST,
    "subscriptions.created_at": _PAST,
    "departures.left_at": _PAST,
    "confirmations.asked_at": _PAST,
    "address_changes.asked_at": _PAST,
    "changes.made_at": _PAST,
    "changes.undone_at": _PAST,
    "unsubscribe_mails.at": _PAST,
    "suppressions.created_at": _PAST,
    "bounces.at": _PAST,
    "editions.slot_at": _PAST,
    "editions.composed_at": _PAST,
    "deliveries.due_at": LONGEST_DELIVERY,
    # The hour a reader chose counts as the queueing.
    "deliveries.queued_at": LONGEST_DELIVERY,
    "deliveries.ended_at": _PAST,
    "attempts.at": _PAST,
    "notices.due_at": LONGEST_DELIVERY,
    "notices.queued_at": _PAST,
    "notices.ended_at": _PAST,
    "rates.next_at": LONGEST_PAUSE,
    "rates.slowed_at": _PAST,
    "rates.paused_until": LONGEST_PAUSE,
    "allotments.until": LONGEST_PAUSE,
    "servers.since": _PAST,
    "idempotency_keys.at": _PAST,
}
"""How far ahead the moments of each column may lie; None: there is no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """How many moments of one column lie further ahead than they may, and the farthest."""

    column: str
    count: int
    farthest: datetime


def columns() -> Iterator[tuple[str, Column[datetime]]]:
    """Yield every column that holds a moment, as `table.column`."""
    for table in schema.metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, schema.Moment):
                yield f"{table.name}.{column.name}", column


def ahead(connection: Connection, now: datetime) -> tuple[Ahead, ...]:
    """Return the columns with moments that lie too far ahead of `now`."""
    found = []
    for name, column in columns():
        limit = LIMITS[name]
        if limit is None:
            continue
        count, farthest = connection.execute(select(func.count(), func.max(column)).where(column > now + limit)).one()
        if count:
            found.append(Ahead(column=name, count=count, farthest=farthest))
    return tuple(found)


def due_beyond(connection: Connection, now: datetime, give_up: timedelta) -> Ahead | None:
    """Return the deliveries that are due later than even the last attempt at them may be; None if there are none."""
    due_at = schema.deliveries.c.due_at
    count, farthest = connection.execute(select(func.count(), func.max(due_at)).where(due_at > now + give_up)).one()
    return Ahead(column="deliveries.due_at", count=count, farthest=farthest) if count else None
