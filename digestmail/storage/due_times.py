"""When the messages in the outbox are due, deliveries and notices alike."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, func, literal, select, update

from digestmail.model.deliveries import DeliveryState
from digestmail.schedule.moments import LONGEST_DELIVERY
from digestmail.storage.schema import deliveries, notices

_WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
_BOTH = (notices, deliveries)


def next_due(connection: Connection, *, only_notices: bool = False) -> datetime | None:
    """Return when the next open message is due, or None when the outbox is empty."""
    found = (_next_due(connection, table) for table in ((notices,) if only_notices else _BOTH))
    return min((moment for moment in found if moment is not None), default=None)


def _next_due(connection: Connection, table: Table) -> datetime | None:
    # The condition is redundant for min(), but SQLite needs it to see that the partial index is enough.
    statement = select(func.min(table.c.due_at)).where(table.c.due_at.is_not(None))
    moment: datetime | None = connection.execute(statement).scalar()
    return moment


def has_notices(connection: Connection, now: datetime) -> bool:
    """Return whether a notice is due, or waits for a time that is too far ahead to be right."""
    due_at = notices.c.due_at
    wanted = select(literal(1)).where((due_at <= now) | (due_at > now + LONGEST_DELIVERY))
    return connection.execute(wanted.limit(1)).first() is not None


def is_beyond(connection: Connection, now: datetime) -> bool:
    """Return whether a message waits for a time further ahead than any message may wait."""
    return any(
        connection.execute(select(literal(1)).where(table.c.due_at > now + LONGEST_DELIVERY).limit(1)).first()
        for table in _BOTH
    )


def reset_beyond(connection: Connection, now: datetime, lease: timedelta) -> int:
    """Make messages due that wait for a time further ahead than any message may wait; return their number.

    A clock that was ahead set that time. A worker may still hold what is `sending`, so that is due after `lease`.
    """
    changed = 0
    for table in _BOTH:
        ahead = table.c.due_at > now + LONGEST_DELIVERY
        waiting = connection.execute(update(table).where(ahead, table.c.state.in_(_WAITING)).values(due_at=now))
        held = connection.execute(update(table).where(ahead).values(due_at=now + lease))
        changed += waiting.rowcount + held.rowcount
    return changed
