"""Sign-ups that are not confirmed yet, at most one for each person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, literal_column, select

from digestmail.model.digests import Cadence
from digestmail.model.subscribers import Preferences, SubscriberState, Subscription
from digestmail.storage.schema import confirmations, deliveries, subscribers
from digestmail.storage.upsert import insert


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A sign-up. `nonce` is in the link that was sent."""

    subscriber_id: int
    nonce: str
    choices: Preferences
    asked_at: datetime


def put(connection: Connection, confirmation: Confirmation) -> None:
    """Store a sign-up. It replaces an earlier one."""
    values = {
        "nonce": confirmation.nonce,
        "choices": choices_to_json(confirmation.choices),
        "asked_at": confirmation.asked_at,
    }
    statement = insert(connection, confirmations).values(subscriber_id=confirmation.subscriber_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["subscriber_id"], set_=values))


def find(connection: Connection, subscriber_id: int) -> Confirmation | None:
    """Return the sign-up of a person; None if there is none."""
    wanted = select(confirmations).where(confirmations.c.subscriber_id == subscriber_id)
    row = connection.execute(wanted).first()
    if row is None:
        return None
    return Confirmation(
        subscriber_id=row.subscriber_id,
        nonce=row.nonce,
        choices=choices_from_json(row.choices),
        asked_at=row.asked_at,
    )


def take(connection: Connection, subscriber_id: int, nonce: str) -> bool:
    """Delete a sign-up; False if there is none with this nonce. Of two clicks, only one succeeds."""
    statement = delete(confirmations).where(
        confirmations.c.subscriber_id == subscriber_id, confirmations.c.nonce == nonce
    )
    return connection.execute(statement).rowcount == 1


def expire(connection: Connection, before: datetime) -> int:
    """Delete sign-ups from before `before`, and people without other data; return how many."""
    connection.execute(delete(confirmations).where(confirmations.c.asked_at < before))
    asked = exists().where(confirmations.c.subscriber_id == subscribers.c.id)
    got = exists().where(deliveries.c.subscriber_id == subscribers.c.id)
    # Written out, because SQLite uses a partial index only if it sees its condition.
    pending = subscribers.c.state == literal_column(f"'{SubscriberState.PENDING}'")
    strangers = delete(subscribers).where(pending, subscribers.c.updated_at < before, ~asked, ~got)
    return connection.execute(strangers).rowcount


def choices_to_json(choices: Preferences) -> dict[str, Any]:
    """Return preferences in stored form."""
    return {
        "digests": [
            {"digest": one.digest, "topics": list(one.topics), "hour": one.hour, "cadence": one.cadence}
            for one in choices.subscriptions
        ],
        "language": choices.language,
        "timezone": choices.timezone,
    }


def choices_from_json(stored: dict[str, Any]) -> Preferences:
    """Return preferences from their stored form."""
    return Preferences(
        subscriptions=tuple(
            Subscription(
                digest=one["digest"],
                topics=tuple(one["topics"]),
                hour=one["hour"],
                cadence=Cadence(one["cadence"]) if one["cadence"] else None,
            )
            for one in stored["digests"]
        ),
        language=stored["language"],
        timezone=stored["timezone"],
    )
