"""Bounces and complaints that may count against an address, one row for each report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, case, exists, func, or_, select, update

from digestmail.model.subscribers import BounceEvent, BounceKind, CountedBounce, SubscriberState
from digestmail.schedule.moments import SKEW
from digestmail.storage.schema import Moment, bounces, deliveries, storable_text, subscribers
from digestmail.storage.upsert import insert
from digestmail.text.addresses import split_address
from digestmail.text.refusal import reason_of

WINDOW: Final = timedelta(days=1)
"""The period in which refusals are compared."""
_REFUSALS = (BounceKind.HARD, BounceKind.SOFT, BounceKind.SENDER_FAULT, BounceKind.BLOCKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalGroup:
    """Refusals of one domain with the same reason."""

    domain: str
    reason: str
    readers: int
    last_at: datetime


def add(connection: Connection, event: BounceEvent, key: str, now: datetime) -> RefusalGroup | None:
    """Store a report about the address with this key. Return None, without storing it, if it is already known.

    Its subscriber must exist. `readers` of the result is not counted.
    """
    domain, reason = split_address(key)[1], storable_text(reason_of(event.status, event.detail, key))
    row = insert(connection, bounces).values(
        subscriber_id=event.subscriber_id,
        edition_id=event.edition_id,
        # Some servers reuse Message-IDs, so the delivery is part of the key.
        report=f"{event.subscriber_id}:{event.edition_id or 0}:{event.report}",
        kind=event.kind,
        status=event.status,
        detail=event.detail,
        at=now,
        domain=domain,
        reason=reason,
    )
    stored = row.on_conflict_do_nothing(index_elements=["report"]).returning(bounces.c.id)
    if connection.execute(stored).first() is None:
        return None
    return RefusalGroup(domain=domain, reason=reason, readers=0, last_at=now)


def count_refused(connection: Connection, group: RefusalGroup, since: datetime) -> tuple[int, bool]:
    """Return how many subscribers a group has, and whether it is already marked as a block."""
    b = bounces.c
    held = func.sum(case((b.kind == BounceKind.BLOCKED, 1), else_=0))
    row = connection.execute(select(func.count(b.subscriber_id.distinct()), held).where(*_in_group(group, since))).one()
    return row[0], bool(row[1])


def count_mailed(connection: Connection, group: RefusalGroup, since: datetime, most: int) -> int:
    """Return how many subscribers of the domain were sent the refused editions, counting up to `most`.

    If no edition is known, count the subscribers who are active or were refused.
    """
    here = subscribers.c.key.endswith(f"@{group.domain}", autoescape=True)
    editions = (
        select(bounces.c.edition_id).where(*_in_group(group, since), bounces.c.edition_id.is_not(None)).distinct()
    )
    d = deliveries.c
    got = (
        select(d.subscriber_id)
        .join(subscribers, subscribers.c.id == d.subscriber_id)
        .where(d.edition_id.in_(editions), here)
        .distinct()
        .limit(most)
    )
    refused = select(bounces.c.subscriber_id).where(*_in_group(group, since))
    active = or_(subscribers.c.state == SubscriberState.ACTIVE, subscribers.c.id.in_(refused))
    subscribed = select(subscribers.c.id).where(active, here).limit(most)
    for people in (got, subscribed):
        if count := connection.execute(select(func.count()).select_from(people.subquery())).scalar_one():
            return count
    return 0


def hold(connection: Connection, group: RefusalGroup, since: datetime) -> list[int]:
    """Mark refusals as a block, so that they do not count. Return the subscribers whose refusals counted before."""
    weighs = bounces.c.kind.in_((BounceKind.HARD, BounceKind.SOFT))
    held = update(bounces).where(*_in_group(group, since), weighs).values(kind=BounceKind.BLOCKED)
    return sorted(set(connection.execute(held.returning(bounces.c.subscriber_id)).scalars()))


def list_groups(connection: Connection, since: datetime, fewest: int) -> list[RefusalGroup]:
    """Return the groups with at least `fewest` subscribers, latest first."""
    b = bounces.c
    readers, last_at = func.count(b.subscriber_id.distinct()), func.max(b.at, type_=Moment())
    rows = connection.execute(
        select(b.domain, b.reason, readers.label("readers"), last_at.label("last_at"))
        .where(*_in_window(since))
        .group_by(b.domain, b.reason)
        .having(readers >= fewest)
        .order_by(last_at.desc(), b.domain, b.reason)
    )
    return [
        RefusalGroup(domain=row.domain, reason=row.reason, readers=row.readers, last_at=row.last_at) for row in rows
    ]


def last_text(connection: Connection, group: RefusalGroup, since: datetime) -> str:
    """Return the latest reply of a group."""
    b = bounces.c
    text = select(b.detail).where(*_in_group(group, since)).order_by(b.at.desc(), b.id.desc()).limit(1)
    return connection.execute(text).scalar() or ""


def _in_group(group: RefusalGroup, since: datetime) -> tuple[ColumnElement[bool], ...]:
    b = bounces.c
    return b.domain == group.domain, b.reason == group.reason, *_in_window(since)


def _in_window(since: datetime) -> tuple[ColumnElement[bool], ...]:
    # Later times were written with a clock that was ahead.
    b = bounces.c
    return b.at >= since, b.at <= since + WINDOW + SKEW, b.kind.in_(_REFUSALS)


def of_subscriber(connection: Connection, subscriber_id: int) -> list[CountedBounce]:
    """Return the reports about a subscriber, oldest first."""
    rows = connection.execute(
        select(bounces.c.kind, bounces.c.at, bounces.c.edition_id)
        .where(bounces.c.subscriber_id == subscriber_id)
        .order_by(bounces.c.at, bounces.c.id)
    )
    return [CountedBounce(kind=BounceKind(row.kind), at=row.at, edition_id=row.edition_id) for row in rows]


def address_key(connection: Connection, subscriber_id: int) -> str | None:
    """Return the key of a subscriber's address, or None if the subscriber does not exist."""
    key: str | None = connection.execute(select(subscribers.c.key).where(subscribers.c.id == subscriber_id)).scalar()
    return key


def lock_address_key(connection: Connection, subscriber_id: int) -> str | None:
    """Return the same as `address_key`. The address can neither change nor be erased before the transaction ends."""
    wanted = select(subscribers.c.key).where(subscribers.c.id == subscriber_id).with_for_update(read=True)
    key: str | None = connection.execute(wanted).scalar()
    return key


def is_of_earlier_address(connection: Connection, event: BounceEvent, now: datetime) -> bool:
    """Return whether the delivery of an event ended before the subscriber changed their address."""
    d, s = deliveries.c, subscribers.c
    earlier = exists().where(
        s.id == event.subscriber_id,
        d.subscriber_id == s.id,
        d.edition_id == event.edition_id,
        d.ended_at < s.address_changed_at,
        s.address_changed_at <= now + SKEW,
    )
    return event.edition_id is not None and bool(connection.execute(select(earlier)).scalar())


def forgive(connection: Connection, key: str) -> None:
    """Mark all reports about an address as forgiven. They stay stored, so that none is counted again."""
    owner = select(subscribers.c.id).where(subscribers.c.key == key)
    connection.execute(update(bounces).where(bounces.c.subscriber_id.in_(owner)).values(kind=BounceKind.FORGIVEN))
