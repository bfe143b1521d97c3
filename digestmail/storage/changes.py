"""What subscribers had before somebody with their link changed or ended it."""

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
    """A change, or several that one notice tells of; `before` is what the subscriber had before the first of them."""

    id: int
    before: Subscriber
    made_at: datetime
    undone_at: datetime | None


def add(connection: Connection, before: Subscriber, now: datetime) -> int:
    """Keep what a subscriber had before a change, and return the change's number."""
    statement = insert(changes).values(subscriber_id=before.id, before=_to_json(before), made_at=now)
    return int(connection.execute(statement.returning(changes.c.id)).scalar_one())


def find(connection: Connection, change_id: int) -> Change | None:
    """Return a change; None if it is not known (any more)."""
    row = connection.execute(select(changes).where(changes.c.id == change_id)).first()
    if row is None:
        return None
    before = _from_json(row.subscriber_id, row.before, row.made_at)
    return Change(id=row.id, before=before, made_at=row.made_at, undone_at=row.undone_at)


def of(connection: Connection, subscriber_id: int) -> tuple[Change, ...]:
    """Return the changes of a subscriber, the oldest first."""
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
    """Mark a change as undone, and void all that came after it; False if that was done before.

    A later change may have been made by a stranger whose link it is: its undoing would bring their choices back.
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
    """Forget changes made before `before`; return how many that were."""
    return connection.execute(delete(changes).where(changes.c.made_at < before)).rowcount


def _to_json(person: Subscriber) -> dict[str, Any]:
    choices = Preferences(subscriptions=person.subscriptions, language=person.language, timezone=person.timezone)
    return {
        "address": person.address,
        "state": person.state,
        "choices": choices_to_json(choices),
        "paused_until": person.paused_until.isoformat() if person.paused_until else None,
    }


def _from_json(subscriber_id: int, stored: dict[str, Any], made_at: datetime) -> Subscriber:
    choices = choices_from_json(stored["choices"])
    paused_until = stored["paused_until"]
    return Subscriber(
        id=subscriber_id,
        address=stored["address"],
        state=SubscriberState(stored["state"]),
        created_at=made_at,
        subscriptions=choices.subscriptions,
        language=choices.language,
        timezone=choices.timezone,
        paused_until=datetime.fromisoformat(paused_until) if paused_until else None,
    )
