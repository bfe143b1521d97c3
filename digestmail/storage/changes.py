"""The state of subscribers before changes made through a link."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from digestmail.model.subscribers import Preferences, Subscriber, SubscriberState
from digestmail.storage.confirmations import choices_from_json, choices_to_json
from digestmail.storage.schema import changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One or more changes that a notice announces. `before` is the subscriber before the first of them."""

    id: int
    before: Subscriber
    made_at: datetime
    undone_at: datetime | None


def add(connection: Connection, before: Subscriber, now: datetime) -> int:
    """Store the state of a subscriber before a change; return the id of the change."""
    statement = insert(changes).values(subscriber_id=before.id, before=_to_json(before), made_at=now)
    return int(connection.execute(statement.returning(changes.c.id)).scalar_one())


def find(connection: Connection, change_id: int) -> Change | None:
    """Return a change; None if it does not exist."""
    row = connection.execute(select(changes).where(changes.c.id == change_id)).first()
    if row is None:
        return None
    before = _from_json(row.subscriber_id, row.before, row.made_at)
    return Change(id=row.id, before=before, made_at=row.made_at, undone_at=row.undone_at)


def of(connection: Connection, subscriber_id: int) -> tuple[Change, ...]:
    """Return the changes of a subscriber, oldest first."""
    rows = connection.execute(select(changes).where(changes.c.subscriber_id == subscriber_id).order_by(changes.c.id))
    return tuple(
        Change(
            id=row.id,
            before=_from_json(subscriber_id, row.before, row.made_at),
            made_at=row.made_at,
            undone_at=row.undone_at,
        )
        for row in rows
    )


def close(connection: Connection, change: Change, now: datetime) -> bool:
    """Mark a change as undone, and invalidate all later ones; False if that was done before.

    A later change may have been made by a stranger. Undoing it must not restore the stranger's choices.
    """
    c = changes.c
    closed = connection.execute(
        update(changes)
        .where(c.subscriber_id == change.before.id, c.id >= change.id, c.undone_at.is_(None))
        .values(undone_at=now)
        .returning(c.id)
    )
    return change.id in set(closed.scalars())


def expire(connection: Connection, before: datetime) -> int:
    """Delete changes from before `before`; return how many."""
    return connection.execute(delete(changes).where(changes.c.made_at < before)).rowcount


def _to_json(person: Subscriber) -> dict[str, Any]:
    choices = Preferences(subscriptions=person.subscriptions, language=person.language, timezone=person.timezone)
    return {
        "address": person.address,
        "state": person.state,
        "choices": choices_to_json(choices),
        "paused_from": person.paused_from.isoformat() if person.paused_from else None,
        "paused_until": person.paused_until.isoformat() if person.paused_until else None,
    }


def _from_json(subscriber_id: int, stored: dict[str, Any], made_at: datetime) -> Subscriber:
    choices = choices_from_json(stored["choices"])
    paused_from, paused_until = stored["paused_from"], stored["paused_until"]
    return Subscriber(
        id=subscriber_id,
        address=stored["address"],
        state=SubscriberState(stored["state"]),
        created_at=made_at,
        subscriptions=choices.subscriptions,
        language=choices.language,
        timezone=choices.timezone,
        paused_from=datetime.fromisoformat(paused_from) if paused_from else None,
        paused_until=datetime.fromisoformat(paused_until) if paused_until else None,
    )
