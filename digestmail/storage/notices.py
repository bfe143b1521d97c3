"""Notices: mails of no edition (please confirm, welcome, goodbye), queued, claimed and recorded as deliveries are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, type_coerce, update

from digestmail.model import Attempted, DeliveryState, Notice, NoticeKind, SubscriberState
from digestmail.moments import LONGEST_DELIVERY, SKEW
from digestmail.storage.schema import notices, subscribers

_WAITING = (DeliveryState.QUEUED, DeliveryState.DEFERRED)
_ENDED = frozenset(DeliveryState) - {DeliveryState.QUEUED, DeliveryState.SENDING, DeliveryState.DEFERRED}


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


def is_due(connection: Connection, now: datetime) -> bool:
    """Return whether any notice is due, or waits for a moment no notice may wait for (`settle_due`)."""
    due = (notices.c.due_at <= now) | (notices.c.due_at > now + LONGEST_DELIVERY)
    return connection.execute(select(notices.c.id).where(due).limit(1)).first() is not None


def settle_due(connection: Connection, now: datetime, lease: timedelta) -> None:
    """Make due what a clock that was ahead put off for longer than any notice may be; what is held, after `lease`."""
    n = notices.c
    ahead = n.due_at > now + LONGEST_DELIVERY
    connection.execute(update(notices).where(ahead, n.state.in_(_WAITING)).values(due_at=now))
    connection.execute(update(notices).where(ahead).values(due_at=now + lease))


def claim(connection: Connection, now: datetime, lease: timedelta, limit: int) -> tuple[Notice, ...]:
    """Claim at most `limit` notices that are due, those due longest first; nobody else gets them for `lease`.

    A claimed one is `sending`, and due again when the lease has passed: then it goes out under the same Message-ID.
    """
    n = notices.c
    # Evaluated once, as in `claims.claim`.
    due = (
        select(n.id).where(n.due_at <= now).order_by(n.due_at, n.id).limit(limit).with_for_update(skip_locked=True)
    ).cte("due")
    claimed = connection.execute(
        update(notices)
        .where(n.id.in_(select(due)))
        .values(state=DeliveryState.SENDING, attempts=n.attempts + 1, fence=n.fence + 1, due_at=now + lease)
        .returning(n.id, n.subscriber_id, n.kind, n.content, n.attempts, n.queued_at, n.fence)
    ).all()
    people = _look_up(connection, [row.subscriber_id for row in claimed])
    return tuple(
        Notice(
            id=row.id,
            subscriber_id=row.subscriber_id,
            kind=NoticeKind(row.kind),
            content=row.content,
            address=people[row.subscriber_id].address,
            language=people[row.subscriber_id].language,
            attempts=row.attempts,
            queued_at=row.queued_at,
            fence=row.fence,
            wanted=people[row.subscriber_id].state != SubscriberState.SUPPRESSED,
        )
        for row in sorted(claimed, key=lambda row: (row.queued_at, row.id))
    )


def _look_up(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
    columns = (subscribers.c.id, subscribers.c.address, subscribers.c.language, subscribers.c.state)
    rows = connection.execute(select(*columns).where(subscribers.c.id.in_(ids))) if ids else ()
    return {row.id: row for row in rows}


def record(connection: Connection, notice: Notice, attempted: Attempted, now: datetime) -> bool:
    """Record what became of a claimed notice; False, and nothing recorded, if another worker has it now."""
    return _write(
        connection,
        notice,
        state=attempted.state,
        code=attempted.code,
        text=attempted.text or None,
        due_at=attempted.due_at,
        ended_at=now if attempted.state in _ENDED else None,
    )


def release(connection: Connection, claimed: Sequence[Notice], due_at: datetime) -> None:
    """Give notices back that were claimed but not attempted."""
    for notice in claimed:
        state = DeliveryState.DEFERRED if notice.attempts > 1 else DeliveryState.QUEUED
        _write(connection, notice, state=state, due_at=due_at, attempts=notice.attempts - 1)


def _write(connection: Connection, notice: Notice, **values: Any) -> bool:
    n = notices.c
    written = connection.execute(
        update(notices)
        .where(n.id == notice.id, n.fence == notice.fence, n.state == DeliveryState.SENDING)
        .values(**values)
    )
    return written.rowcount == 1


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
