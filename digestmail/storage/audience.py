"""The preferences of active subscribers: counted for the operator, and streamed for publishing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, Text, cast, func, select

from digestmail.model.subscribers import ChoiceCount, SubscriberState
from digestmail.schedule.moments import LONGEST_HOLIDAY
from digestmail.storage.schema import subscribers, subscriptions

_CHUNK = 5000


def count_choices(connection: Connection) -> tuple[ChoiceCount, ...]:
    """Return each combination of preferences of active subscribers, with its count."""
    topics = cast(subscriptions.c.topics, Text)
    statement = (
        select(subscriptions.c.digest, topics.label("topics"), func.count().label("people"))
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(subscribers.c.state == SubscriberState.ACTIVE)
        .group_by(subscriptions.c.digest, topics)
        .order_by(subscriptions.c.digest, topics)
    )
    return tuple(
        ChoiceCount(digest=row.digest, topics=tuple(json.loads(row.topics)), people=row.people)
        for row in connection.execute(statement)
    )


@dataclass(frozen=True, slots=True)
class RecipientChoices:
    """The preferences of a recipient. Many recipients share the same object."""

    topics: tuple[str, ...]
    hour: int | None
    timezone: str | None
    language: str | None


def wanted_by(
    connection: Connection, digest: str, now: datetime, *, lock: bool = False
) -> Iterator[tuple[int, RecipientChoices]]:
    """Yield (subscriber id, preferences) of the recipients of `digest` at `now`, by id, with constant memory.

    Paused subscribers are left out, unless the pause is longer than allowed. Equal preferences are the same object, so
    only the first is decoded. With `lock`, none of them is erased before the transaction ends; their other rows may
    change.
    """
    statement = _recipients(digest, now).limit(_CHUNK)
    if lock:
        # The lock that a row with a foreign key to them takes, only earlier.
        statement = statement.with_for_update(read=True, key_share=True, of=subscribers)
    known: dict[tuple[Any, ...], RecipientChoices] = {}
    last = 0
    while True:
        rows = connection.execute(statement.where(subscriptions.c.subscriber_id > last)).all()
        for row in rows:
            subscriber_id, topics, hour, timezone, language = row
            key = (topics, hour, timezone, language)
            wanted = known.get(key)
            if wanted is None:
                wanted = known[key] = RecipientChoices(tuple(json.loads(topics)), hour, timezone, language)
            yield subscriber_id, wanted
        if len(rows) < _CHUNK:
            return
        last = rows[-1].subscriber_id


def _recipients(digest: str, now: datetime) -> Select[Any]:
    return (
        select(
            subscriptions.c.subscriber_id,
            cast(subscriptions.c.topics, Text),
            subscriptions.c.hour,
            subscribers.c.timezone,
            subscribers.c.language,
        )
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(subscriptions.c.digest == digest, subscribers.c.state == SubscriberState.ACTIVE)
        .where(
            subscribers.c.paused_until.is_(None)
            | (subscribers.c.paused_until <= now)
            | (subscribers.c.paused_until > now + LONGEST_HOLIDAY)
        )
        .order_by(subscriptions.c.subscriber_id)
    )
