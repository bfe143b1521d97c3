"""Notices: emails that belong to no edition, such as confirmation requests. `claims` holds what workers do to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, type_coerce, update

from digestmail.model.deliveries import DeliveryState, NoticeKind
from digestmail.schedule.moments import SKEW
from digestmail.storage.schema import notices

_WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)


def enqueue(
    connection: Connection,
    subscriber_id: int,
    kind: NoticeKind,
    content: Mapping[str, str],
    now: datetime,
    *,
    due_at: datetime | None = None,
) -> int:
    """Queue a notice, due at `due_at` or at once, and return its number.

    It goes to the subscriber's address at the time of sending, or to `content["to"]`.
    """
    statement = insert(notices).values(
        subscriber_id=subscriber_id,
        kind=kind,
        content=dict(content),
        state=DeliveryState.QUEUED,
        attempts=0,
        due_at=due_at or now,
        fence=0,
        queued_at=now,
    )
    return int(connection.execute(statement.returning(notices.c.id)).scalar_one())


def last_queued(connection: Connection, subscriber_id: int, now: datetime, *kinds: NoticeKind) -> datetime | None:
    """Return when a person was last written one of these `kinds` up to `now`; None if never."""
    wanted = select(func.max(notices.c.queued_at)).where(
        notices.c.subscriber_id == subscriber_id, notices.c.kind.in_(kinds), notices.c.queued_at <= now + SKEW
    )
    moment: datetime | None = connection.execute(wanted).scalar()
    return moment


def last_sent(connection: Connection, subscriber_id: int, kind: NoticeKind) -> datetime | None:
    """Return when a person was last sent a notice of this kind, or one was queued that is not sent yet."""
    n = notices.c
    last = type_coerce(func.max(func.coalesce(n.ended_at, n.queued_at)), n.queued_at.type)
    wanted = select(last).where(n.subscriber_id == subscriber_id, n.kind == kind, n.state != DeliveryState.CANCELLED)
    moment: datetime | None = connection.execute(wanted).scalar()
    return moment


def waiting(connection: Connection, subscriber_id: int, kind: NoticeKind) -> list[tuple[int, dict[str, str]]]:
    """Return (number, content) of the notices of this kind that wait and are in nobody's hands, the oldest first."""
    n = notices.c
    rows = connection.execute(
        select(n.id, n.content)
        .where(n.subscriber_id == subscriber_id, n.kind == kind, n.state.in_(_WAITING))
        .order_by(n.id)
    )
    return [(row.id, row.content) for row in rows]


def withdraw(connection: Connection, notice_id: int, why: str, now: datetime) -> None:
    """Cancel one notice that waits."""
    n = notices.c
    statement = update(notices).where(n.id == notice_id, n.state.in_(_WAITING))
    connection.execute(statement.values(state=DeliveryState.CANCELLED, due_at=None, ended_at=now, text=why))


def cancel(connection: Connection, subscriber_id: int, kinds: Sequence[NoticeKind], why: str, now: datetime) -> int:
    """Cancel the notices of these kinds that wait for a subscriber."""
    n = notices.c
    statement = update(notices).where(n.subscriber_id == subscriber_id, n.kind.in_(kinds), n.state.in_(_WAITING))
    cancelled = statement.values(state=DeliveryState.CANCELLED, due_at=None, ended_at=now, text=why)
    return connection.execute(cancelled).rowcount


def counts(connection: Connection) -> dict[DeliveryState, int]:
    """Return how many notices stand in each state that occurs."""
    statement = select(notices.c.state, func.count()).group_by(notices.c.state).order_by(notices.c.state)
    return {DeliveryState(state): count for state, count in connection.execute(statement)}
