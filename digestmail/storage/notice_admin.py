"""Notices the operator must look at: unsent ones, and each attempt. The counterpart of `delivery_admin`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select, union_all, update

from digestmail.model.deliveries import DeliveryState, Unfinished
from digestmail.storage.delivery_admin import (
    StoredAttempt,
    StoredDelivery,
    as_attempts,
    count_rows,
    put_back,
    unfinished,
)
from digestmail.storage.schema import notice_attempts, notices, subscribers

_CHUNK = 1000


def list_notices(
    connection: Connection, name: str, *, state: DeliveryState | None = None, kind: str | None = None
) -> Iterator[StoredDelivery]:
    """Yield notices, the newest first, at flat memory. `name` is shown as their digest, their kind as the slot."""
    n = notices.c
    statement = select(notices, subscribers.c.address).join(subscribers, subscribers.c.id == n.subscriber_id)
    if state is not None:
        statement = statement.where(n.state == state)
    if kind is not None:
        statement = statement.where(n.kind == kind)
    for row in connection.execute(statement.order_by(n.id.desc()).execution_options(yield_per=_CHUNK)):
        yield StoredDelivery(
            digest=name,
            slot=row.kind,
            subscriber_id=row.subscriber_id,
            address=row.content.get("to", row.address),
            state=DeliveryState(row.state),
            attempts=row.attempts,
            queued_at=row.queued_at,
            due_at=row.due_at,
            ended_at=row.ended_at,
            code=row.code,
            text=row.text or "",
        )


def attempts_of(connection: Connection, kind: str, subscriber_id: int) -> tuple[StoredAttempt, ...]:
    """Return every attempt at a subscriber's notices of one kind, the first one first."""
    a, n = notice_attempts.c, notices.c
    mine = n.kind == kind, n.subscriber_id == subscriber_id
    earlier = select(a.notice_id, a.number, a.state, a.at, a.code, a.text, a.milliseconds).where(
        a.notice_id.in_(select(n.id).where(*mine))
    )
    last = select(n.id.label("notice_id"), n.attempts, n.state, n.ended_at, n.code, n.text, n.milliseconds).where(
        *mine, n.state.in_((DeliveryState.SENT, DeliveryState.FAILED)), n.attempts > 0
    )
    return as_attempts(connection.execute(union_all(earlier, last).order_by("notice_id", "number")))


def resolve(connection: Connection, kind: str, subscriber_id: int | None, state: DeliveryState, now: datetime) -> int:
    """Resolve ambiguous notices of one kind, all or one subscriber's, as `sent` or `failed`; return how many."""
    n = notices.c
    chosen = [n.kind == kind, n.state == DeliveryState.AMBIGUOUS]
    if subscriber_id is not None:
        chosen.append(n.subscriber_id == subscriber_id)
    text = f"resolved by the operator as {state}"
    done = connection.execute(update(notices).where(*chosen).values(state=state, ended_at=now, due_at=None, text=text))
    return done.rowcount


def count(connection: Connection, meant: Unfinished) -> int:
    """Return how many notices `retry` would put back into the outbox."""
    return count_rows(connection, notices, _conditions(meant))


def retry(connection: Connection, meant: Unfinished, now: datetime) -> int:
    """Put ambiguous and failed notices back into the outbox, due at once; return how many.

    They are sent with the Message-ID they had, unless they are no longer needed then.
    """
    return put_back(connection, notices, _conditions(meant), now)


def _conditions(meant: Unfinished) -> list[ColumnElement[bool]]:
    of_kind = [notices.c.kind == meant.slot] if meant.slot is not None else []
    return [*unfinished(notices, meant), *of_kind]
