"""Emails that are stuck: claimed by a worker that is gone, due and not sent, or refused by every server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, delete, func, literal_column, select, update

from digestmail.model.deliveries import DeliveryState, NoticeKind
from digestmail.schedule.moments import LONGEST_DELIVERY
from digestmail.storage.schema import connection_leases, deliveries, notices


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is claimed: deliveries and notices, how many of both may have been sent, and until when the claims hold."""

    deliveries: int
    begun: int
    notices: int
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overdue:
    """How many deliveries are late, and since when the first one is due."""

    count: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsentNotices:
    """Notices of one kind that wait or failed, and what a server said last."""

    kind: NoticeKind
    state: DeliveryState
    count: int
    text: str


# -- what a worker that is gone still holds --------------------------------------------------------------------------


def held(connection: Connection, now: datetime) -> Held:
    """Return what is claimed. With no worker at work, whoever claimed it is gone."""
    found = []
    for table in (deliveries, notices):
        c = table.c
        begun = func.count().filter(c.state == DeliveryState.SENDING)
        statement = select(func.count(), begun, func.max(c.due_at)).where(*_claimed(table, now))
        found.append(connection.execute(statement).one())
    (of_editions, begun_deliveries, until), (of_notices, begun_notices, notices_until) = found
    return Held(
        deliveries=of_editions,
        begun=begun_deliveries + begun_notices,
        notices=of_notices,
        until=max((moment for moment in (until, notices_until) if moment), default=None),
    )


def release(connection: Connection, now: datetime) -> Held:
    """Make due at once what is claimed (see `held`), and return what that was.

    A worker that is still at work loses it: the fence says so before it begins another message. What is `sending` may
    be on the wire; the next claim treats it as the policy for ambiguous deliveries says.
    """
    found = held(connection, now)
    for table in (deliveries, notices):
        claimed = update(table).where(*_claimed(table, now))
        connection.execute(claimed.values(due_at=now, fence=table.c.fence + 1))
    connection.execute(delete(connection_leases))
    return found


def _claimed(table: Table, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Choose what is claimed: `sending`, or queued for a time that is over and due later all the same.

    A claim makes a deferred message queued; what is still deferred waits for its next attempt.
    """
    c = table.c
    queued = (c.state == DeliveryState.QUEUED) & (c.queued_at <= now) & (c.fence > 0)
    return (c.due_at > now, c.due_at <= now + LONGEST_DELIVERY, (c.state == DeliveryState.SENDING) | queued)


# -- what is late ----------------------------------------------------------------------------------------------------


def overdue(connection: Connection, before: datetime) -> Overdue | None:
    """Return the deliveries that were due `before` and that nobody has claimed since; None if there are none."""
    d = deliveries.c
    count, since = connection.execute(select(func.count(), func.min(d.due_at)).where(d.due_at < before)).one()
    return Overdue(count=count, since=since) if count else None


def count_due(connection: Connection, now: datetime) -> int:
    """Return how many deliveries are due."""
    return int(connection.execute(select(func.count()).where(deliveries.c.due_at <= now)).scalar_one())


def unsent_notices(
    connection: Connection, *, tried_before: datetime, due_before: datetime, failed_since: datetime
) -> tuple[UnsentNotices, ...]:
    """Return, by kind, the notices that do not get through.

    Those queued before `tried_before` that were claimed and wait all the same; those due before `due_before`, claimed
    or not; and those that failed since `failed_since`.
    """
    n = notices.c
    tried = (n.queued_at < tried_before) & (n.fence > 0)
    waits = n.due_at.is_not(None) & (tried | (n.due_at < due_before))
    # Written out, because SQLite uses a partial index only if it sees its condition.
    failed = (n.state == literal_column(f"'{DeliveryState.FAILED}'")) & (n.ended_at >= failed_since)
    counted = select(n.kind, n.state, func.count(), func.max(n.text)).group_by(n.kind, n.state)
    # Two statements, because with OR the databases read all notices. No notice is in both.
    rows = sorted((row for which in (waits, failed) for row in connection.execute(counted.where(which))), key=_kind)
    return tuple(
        UnsentNotices(kind=NoticeKind(kind), state=DeliveryState(state), count=count, text=text or "")
        for kind, state, count, text in rows
    )


def _kind(row: Row[Any]) -> tuple[str, str]:
    return row.kind, row.state
