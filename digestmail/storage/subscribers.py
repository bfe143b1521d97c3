"""Subscribers and what they asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, cast, delete, func, select, update

from digestmail.model import Subscriber, SubscriberState, Subscription
from digestmail.storage import deliveries
from digestmail.storage.inserting import insert
from digestmail.storage.schema import subscribers, subscriptions

_CHUNK = 5000


def add(connection: Connection, address: str, now: datetime) -> int:
    """Make `address` an active subscriber and return its id; who had left comes back, who is suppressed stays so."""
    statement = insert(connection, subscribers).values(
        address=address, key=address.casefold(), state=SubscriberState.ACTIVE, created_at=now, updated_at=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["key"],
            set_={"state": SubscriberState.ACTIVE, "updated_at": now},
            where=subscribers.c.state.in_([SubscriberState.PENDING, SubscriberState.UNSUBSCRIBED]),
        )
    )
    found = connection.execute(select(subscribers.c.id).where(subscribers.c.key == address.casefold()))
    return int(found.scalar_one())


def subscribe(connection: Connection, subscriber_id: int, subscription: Subscription, now: datetime) -> None:
    """Subscribe a person to a digest, or change the topics and the hour of a subscription."""
    chosen = {"topics": list(subscription.topics), "hour": subscription.hour}
    statement = insert(connection, subscriptions).values(
        digest=subscription.digest, subscriber_id=subscriber_id, created_at=now, **chosen
    )
    connection.execute(statement.on_conflict_do_update(index_elements=["digest", "subscriber_id"], set_=chosen))


def find(connection: Connection, address: str) -> Subscriber | None:
    """Return the subscriber with this address; None if there is none."""
    return next(_subscribers(connection, select(subscribers).where(subscribers.c.key == address.casefold())), None)


def list_subscribers(
    connection: Connection, *, digest: str | None = None, state: SubscriberState | None = None
) -> Iterator[Subscriber]:
    """Yield subscribers in the order they came, a chunk at a time."""
    statement = select(subscribers)
    if state is not None:
        statement = statement.where(subscribers.c.state == state)
    if digest is not None:
        statement = statement.where(
            subscribers.c.id.in_(select(subscriptions.c.subscriber_id).where(subscriptions.c.digest == digest))
        )
    last = 0
    while True:
        page = statement.where(subscribers.c.id > last).order_by(subscribers.c.id).limit(_CHUNK)
        found = list(_subscribers(connection, page))
        yield from found
        if len(found) < _CHUNK:
            return
        last = found[-1].id


def _subscribers(connection: Connection, statement: Select[Any]) -> Iterator[Subscriber]:
    rows = connection.execute(statement).all()
    wants: dict[int, list[Subscription]] = {}
    for row in _subscriptions(connection, rows):
        wants.setdefault(row.subscriber_id, []).append(
            Subscription(digest=row.digest, topics=tuple(row.topics), hour=row.hour)
        )
    for row in rows:
        yield Subscriber(
            id=row.id,
            address=row.address,
            state=SubscriberState(row.state),
            created_at=row.created_at,
            subscriptions=tuple(wants.get(row.id, ())),
            language=row.language,
            timezone=row.timezone,
            paused_until=row.paused_until,
            consent_source=row.consent_source,
            consent_at=row.consent_at,
        )


def _subscriptions(connection: Connection, rows: list[Row[Any]] | Any) -> list[Row[Any]]:
    if not rows:
        return []
    statement = (
        select(subscriptions)
        .where(subscriptions.c.subscriber_id.between(rows[0].id, rows[-1].id))
        .order_by(subscriptions.c.subscriber_id, subscriptions.c.digest)
    )
    return list(connection.execute(statement))


def remove(connection: Connection, address: str, now: datetime) -> bool:
    """Unsubscribe a person from everything, what is queued included; return whether there was such a person."""
    subscriber_id = connection.execute(select(subscribers.c.id).where(subscribers.c.key == address.casefold())).scalar()
    if subscriber_id is None:
        return False
    connection.execute(
        update(subscribers)
        .where(subscribers.c.id == subscriber_id, subscribers.c.state != SubscriberState.SUPPRESSED)
        .values(state=SubscriberState.UNSUBSCRIBED, updated_at=now)
    )
    connection.execute(delete(subscriptions).where(subscriptions.c.subscriber_id == subscriber_id))
    deliveries.cancel(connection, subscriber_id, "unsubscribed", now)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How many active subscribers chose the same of a digest."""

    digest: str
    topics: tuple[str, ...]
    people: int


def wishes(connection: Connection) -> tuple[Wish, ...]:
    """Return what active subscribers want, each combination once."""
    topics = cast(subscriptions.c.topics, Text)
    statement = (
        select(subscriptions.c.digest, topics.label("topics"), func.count().label("people"))
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(subscribers.c.state == SubscriberState.ACTIVE)
        .group_by(subscriptions.c.digest, topics)
        .order_by(subscriptions.c.digest, topics)
    )
    return tuple(
        Wish(digest=row.digest, topics=tuple(json.loads(row.topics)), people=row.people)
        for row in connection.execute(statement)
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody who is to get a digest chose; most people chose the same as many others."""

    topics: tuple[str, ...]
    hour: int | None
    timezone: str | None
    language: str | None


def wanted_by(connection: Connection, digest: str, now: datetime) -> Iterator[tuple[int, Wanted]]:
    """Yield (subscriber id, what they chose) of everybody who is to get `digest` at `now`, by id, at flat memory.

    Who paused is left out. Equal choices are one and the same object: only the first of them is decoded.
    """
    statement = (
        select(
            subscriptions.c.subscriber_id,
            cast(subscriptions.c.topics, Text),
            subscriptions.c.hour,
            subscribers.c.timezone,
            subscribers.c.language,
        )
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(subscriptions.c.digest == digest, subscribers.c.state == SubscriberState.ACTIVE)
        .where(subscribers.c.paused_until.is_(None) | (subscribers.c.paused_until <= now))
        .order_by(subscriptions.c.subscriber_id)
        .limit(_CHUNK)
    )
    known: dict[tuple[Any, ...], Wanted] = {}
    last = 0
    while True:
        rows = connection.execute(statement.where(subscriptions.c.subscriber_id > last)).all()
        for row in rows:
            subscriber_id, topics, hour, timezone, language = row
            key = (topics, hour, timezone, language)
            wanted = known.get(key)
            if wanted is None:
                wanted = known[key] = Wanted(tuple(json.loads(topics)), hour, timezone, language)
            yield subscriber_id, wanted
        if len(rows) < _CHUNK:
            return
        last = rows[-1].subscriber_id
