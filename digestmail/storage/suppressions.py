"""Suppressions: addresses that must not receive email. A row outlives its subscriber."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, case, delete, exists, select, update

from digestmail.model.subscribers import SubscriberState, Suppression, SuppressionReason
from digestmail.storage import bounces, deliveries, opt_outs, settings
from digestmail.storage.schema import subscribers, subscriptions, suppressions
from digestmail.storage.upsert import chunks, insert


def add(connection: Connection, key: str, reason: SuppressionReason, detail: str, now: datetime) -> None:
    """Suppress `key`, cancel its open deliveries and update its subscriber. An earlier suppression keeps its reason."""
    statement = insert(connection, suppressions).values(key=key, reason=reason, detail=detail, created_at=now)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
    subscriber_id = connection.execute(select(subscribers.c.id).where(subscribers.c.key == key)).scalar()
    if subscriber_id is not None:
        connection.execute(
            update(subscribers)
            .where(subscribers.c.id == subscriber_id)
            .values(state=SubscriberState.SUPPRESSED, updated_at=now)
        )
        opt_outs.record(connection, subscriber_id, [opt_outs.EVERYTHING], now)
        deliveries.cancel(connection, subscriber_id, _cancelled(reason), now)


def lift_since(connection: Connection, subscriber_id: int, since: datetime, now: datetime) -> bool:
    """Undo a suppression that bounces caused at `since` or later. Return whether there was one.

    The subscriber's state is restored, and deliveries that were cancelled with the suppression are due again.
    """
    mine = select(subscribers.c.key).where(subscribers.c.id == subscriber_id).scalar_subquery()
    s = suppressions.c
    at = connection.execute(
        delete(suppressions)
        .where(s.key == mine, s.reason == SuppressionReason.BOUNCED, s.created_at >= since)
        .returning(s.created_at)
    ).scalar()
    if at is None:
        return False
    subscribed = exists().where(subscriptions.c.subscriber_id == subscribers.c.id)
    connection.execute(
        update(subscribers)
        .where(subscribers.c.id == subscriber_id, subscribers.c.state == SubscriberState.SUPPRESSED)
        .values(
            state=case((subscribed, SubscriberState.ACTIVE.value), else_=SubscriberState.UNSUBSCRIBED.value),
            updated_at=now,
        )
    )
    opt_outs.delete_one(connection, subscriber_id, opt_outs.EVERYTHING, at)
    deliveries.restore(connection, subscriber_id, _cancelled(SuppressionReason.BOUNCED), at, now)
    return True


def _cancelled(reason: SuppressionReason) -> str:
    return f"suppressed: {reason}"


def remove(connection: Connection, key: str, now: datetime) -> bool:
    """Lift a suppression. Its subscriber is then unsubscribed and may sign up again. Return whether there was one.

    Earlier bounces are forgiven, because otherwise the next soft bounce would suppress the address again.
    """
    bounces.forgive(connection, key)
    gone = connection.execute(delete(suppressions).where(suppressions.c.key == key)).rowcount
    lifted = connection.execute(
        update(subscribers)
        .where(subscribers.c.key == key, subscribers.c.state == SubscriberState.SUPPRESSED)
        .values(state=SubscriberState.UNSUBSCRIBED, updated_at=now)
        .returning(subscribers.c.id)
    ).scalar()
    # Old subscriptions must not return with the next digest that the person signs up for.
    connection.execute(delete(subscriptions).where(subscriptions.c.subscriber_id == lifted))
    return gone > 0


def find(connection: Connection, key: str) -> Suppression | None:
    """Return the suppression with this key, or None."""
    return next(_read(connection, select(suppressions).where(suppressions.c.key == key)), None)


def among(connection: Connection, keys: Iterable[str]) -> dict[str, SuppressionReason]:
    """Return which of `keys` are suppressed, and why."""
    found: dict[str, SuppressionReason] = {}
    for some in chunks(list(keys)):
        rows = connection.execute(select(suppressions.c.key, suppressions.c.reason).where(suppressions.c.key.in_(some)))
        found.update({row.key: SuppressionReason(row.reason) for row in rows})
    return found


def reason_for(connection: Connection, key: str) -> SuppressionReason | None:
    """Return why the address with this key is suppressed, or None. The address may be stored as a hash."""
    return among_people(connection, [key]).get(key)


def among_people(connection: Connection, keys: Sequence[str]) -> dict[str, SuppressionReason]:
    """Return which of these address keys are suppressed, and why, including erased addresses."""
    found = among(connection, keys)
    erasure_key = settings.find_erasure_key(connection)
    if erasure_key is not None:
        by_hash = {hashed(erasure_key, key): key for key in keys}
        found.update({by_hash[one]: reason for one, reason in among(connection, by_hash).items()})
    return found


def forgive_erased(connection: Connection, key: str) -> None:
    """Lift the suppression of an erased person who signs up again. Other suppressions stay."""
    erasure_key = settings.find_erasure_key(connection)
    if erasure_key is not None:
        connection.execute(
            delete(suppressions).where(
                suppressions.c.key == hashed(erasure_key, key), suppressions.c.reason == SuppressionReason.ERASED
            )
        )


def hashed(erasure_key: str, key: str) -> str:
    """Return the keyed hash under which an erased address is stored."""
    return f"sha256:{hmac.digest(erasure_key.encode(), key.encode(), 'sha256').hex()}"


def list_all(connection: Connection) -> Iterator[Suppression]:
    """Return every suppression, newest first."""
    return _read(connection, select(suppressions).order_by(suppressions.c.created_at.desc(), suppressions.c.key))


def _read(connection: Connection, statement: Select[Any]) -> Iterator[Suppression]:
    for row in connection.execute(statement):
        yield Suppression(
            key=row.key, reason=SuppressionReason(row.reason), detail=row.detail, created_at=row.created_at
        )
