"""The preferences of active subscribers: counted for the operator, and streamed for publishing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, func, select, true

from digestmail.model.digests import Cadence, CatchUp
from digestmail.model.subscribers import ChoiceCount, SubscriberState
from digestmail.schedule.moments import LONGEST_HOLIDAY, SKEW
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whom an edition is for."""

    digest: str
    """The name of the configured digest."""
    cadence: Cadence | None = None
    slot_at: datetime | None = None
    """Readers who chose a cadence later are left out; None means that this does not matter."""
    returning: CatchUp | None = None
    """Readers who return from this pause are left out: they get a catch-up edition instead."""
    catch_up: CatchUp | None = None
    """Only these readers."""


def is_wanted(connection: Connection, audience: Audience, now: datetime) -> bool:
    """Return whether an audience has active readers at `now`, paused or not."""
    return connection.execute(_active(audience, now).limit(1)).first() is not None


def pauses(connection: Connection, audience: Audience, now: datetime) -> tuple[datetime, ...]:
    """Return the different times at which the pauses of an audience began."""
    began = _active(audience, now).with_only_columns(subscribers.c.paused_from).distinct()
    return tuple(connection.execute(began).scalars())


def ids_of(audience: Audience, now: datetime) -> Select[Any] | None:
    """Return the query for the ids of an audience; None if it may be most readers, so that it is no shorter way."""
    if audience.cadence is None and audience.catch_up is None:
        return None
    return _active(audience, now).with_only_columns(subscriptions.c.subscriber_id)


def languages(connection: Connection, digest: str) -> tuple[str, ...]:
    """Return the languages that active readers of a digest chose, the most frequent one first."""
    s, p = subscriptions.c, subscribers.c
    statement = (
        select(p.language)
        .join(subscriptions, s.subscriber_id == p.id)
        .where(s.digest == digest, p.state == SubscriberState.ACTIVE, p.language.is_not(None))
        .group_by(p.language)
        .order_by(func.count().desc(), p.language)
    )
    return tuple(connection.execute(statement).scalars())


def _active(audience: Audience, now: datetime) -> Select[Any]:
    """Return the query for the active readers of an audience, paused or not.

    A cadence chosen after `now` was chosen with a clock that was ahead, and counts as chosen long ago.
    """
    s, p = subscriptions.c, subscribers.c
    statement = (
        select(s.subscriber_id, cast(s.topics, Text), s.hour, p.timezone, p.language)
        .join(subscribers, p.id == s.subscriber_id)
        .where(s.digest == audience.digest, p.state == SubscriberState.ACTIVE)
    )
    if audience.cadence is None:
        statement = statement.where(s.cadence.is_(None))
    else:
        statement = statement.where(s.cadence == audience.cadence)
        if audience.slot_at is not None:
            statement = statement.where((s.cadence_at <= audience.slot_at) | (s.cadence_at > now + SKEW))
    if audience.returning is not None:
        statement = statement.where(func.coalesce(~_missed(audience.returning), true()))
    if audience.catch_up is not None:
        statement = statement.where(_missed(audience.catch_up))
    return statement


def _missed(absence: CatchUp) -> ColumnElement[bool]:
    """Return the condition for readers who were paused when an edition was composed, and are not any more."""
    p = subscribers.c
    condition = (
        (p.paused_from <= absence.missed_at) & (p.paused_until > absence.missed_at) & (p.paused_until <= absence.until)
    )
    if absence.first is not None:
        condition &= p.paused_from >= absence.first
    if absence.last is not None:
        condition &= p.paused_from < absence.last
    return condition


def readers_of(
    connection: Connection, digest: str, now: datetime, *, paused: bool = False, lock: bool = False
) -> Iterator[tuple[int, str | None]]:
    """Yield (subscriber id, language) of the active readers of a digest, whatever their cadence, by id.

    Paused readers are included with `paused`. With `lock`, none of them is erased before the transaction ends.
    """
    statement = _readers(digest, now, paused=paused).order_by(subscriptions.c.subscriber_id).limit(_CHUNK)
    if lock:
        statement = statement.with_for_update(read=True, key_share=True, of=subscribers)
    last = 0
    while rows := connection.execute(statement.where(subscriptions.c.subscriber_id > last)).all():
        yield from ((row.subscriber_id, row.language) for row in rows)
        last = rows[-1].subscriber_id


def count_readers(connection: Connection, digest: str, now: datetime, *, paused: bool = False) -> int:
    """Return how many readers `readers_of` would yield."""
    counted = _readers(digest, now, paused=paused).with_only_columns(func.count())
    return int(connection.execute(counted).scalar_one())


def _readers(digest: str, now: datetime, *, paused: bool) -> Select[Any]:
    s, p = subscriptions.c, subscribers.c
    return (
        select(s.subscriber_id, p.language)
        .join(subscribers, p.id == s.subscriber_id)
        .where(s.digest == digest, p.state == SubscriberState.ACTIVE)
        .where(true() if paused else _not_paused(now))
    )


def _not_paused(now: datetime) -> ColumnElement[bool]:
    """Return the condition for readers who are not paused. A pause that is longer than allowed does not count."""
    until = subscribers.c.paused_until
    return until.is_(None) | (until <= now) | (until > now + LONGEST_HOLIDAY)


def wanted_by(
    connection: Connection, audience: Audience, now: datetime, *, lock: bool = False
) -> Iterator[tuple[int, RecipientChoices]]:
    """Yield (subscriber id, preferences) of an audience at `now`, by id, with constant memory.

    Paused subscribers are left out, unless the pause is longer than allowed. Equal preferences are the same object, so
    only the first is decoded. With `lock`, none of them is erased before the transaction ends; their other rows may
    change.
    """
    statement = _active(audience, now).where(_not_paused(now)).order_by(subscriptions.c.subscriber_id).limit(_CHUNK)
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
