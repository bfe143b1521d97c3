"""Bounces and complaints, as far as they count: one row a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, case, exists, func, or_, select, update

from digestmail.model.subscribers import BounceEvent, BounceKind, CountedBounce, SubscriberState
from digestmail.schedule.moments import SKEW
from digestmail.storage.schema import Moment, bounces, deliveries, said, subscribers
from digestmail.storage.upsert import insert
from digestmail.text.refusal import reason_of

WINDOW: Final = timedelta(days=1)
"""How long ago refusals are looked at together."""
_REFUSALS = (BounceKind.HARD, BounceKind.SOFT, BounceKind.OURS, BounceKind.BLOCKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Refusals of one domain with the same reason."""

    domain: str
    reason: str
    readers: int
    last_at: datetime


def add(connection: Connection, event: BounceEvent, key: str, now: datetime) -> Alike | None:
    """Keep one report about the address with this key; None, and nothing kept, if it is known already.

    Its subscriber must exist. `readers` of the result is not counted.
    """
    domain, reason = key.rpartition("@")[2], said(reason_of(event.status, event.detail, key))
    row = insert(connection, bounces).values(
        subscriber_id=event.subscriber_id,
        edition_id=event.edition_id,
        # There are servers whose Message-IDs repeat: a report is one about one delivery.
        report=f"{event.subscriber_id}:{event.edition_id or 0}:{event.report}",
        kind=event.kind,
        status=event.status,
        detail=event.detail,
        at=now,
        domain=domain,
        reason=reason,
    )
    kept = row.on_conflict_do_nothing(index_elements=["report"]).returning(bounces.c.id)
    if connection.execute(kept).first() is None:
        return None
    return Alike(domain=domain, reason=reason, readers=0, last_at=now)


def count_alike(connection: Connection, alike: Alike, since: datetime) -> tuple[int, bool]:
    """Return how many readers of a domain were refused for the same reason, and whether that is held to be a block."""
    b = bounces.c
    held = func.sum(case((b.kind == BounceKind.BLOCKED, 1), else_=0))
    row = connection.execute(select(func.count(b.subscriber_id.distinct()), held).where(*_like(alike, since))).one()
    return row[0], bool(row[1])


def count_mailed(connection: Connection, alike: Alike, since: datetime, most: int) -> int:
    """Return how many readers of the domain were to get the editions that were refused, counting to at most `most`.

    Where no edition is known, those who are active or were until they were refused.
    """
    here = subscribers.c.key.endswith(f"@{alike.domain}", autoescape=True)
    editions = select(bounces.c.edition_id).where(*_like(alike, since), bounces.c.edition_id.is_not(None)).distinct()
    d = deliveries.c
    got = (
        select(d.subscriber_id)
        .join(subscribers, subscribers.c.id == d.subscriber_id)
        .where(d.edition_id.in_(editions), here)
        .distinct()
        .limit(most)
    )
    refused = select(bounces.c.subscriber_id).where(*_like(alike, since))
    active = or_(subscribers.c.state == SubscriberState.ACTIVE, subscribers.c.id.in_(refused))
    subscribed = select(subscribers.c.id).where(active, here).limit(most)
    for people in (got, subscribed):
        if count := connection.execute(select(func.count()).select_from(people.subquery())).scalar_one():
            return count
    return 0


def hold(connection: Connection, alike: Alike, since: datetime) -> list[int]:
    """Let refusals weigh nothing, for they are a block; return whose weighed something until now."""
    weighs = bounces.c.kind.in_((BounceKind.HARD, BounceKind.SOFT))
    held = update(bounces).where(*_like(alike, since), weighs).values(kind=BounceKind.BLOCKED)
    return sorted(set(connection.execute(held.returning(bounces.c.subscriber_id)).scalars()))


def list_alike(connection: Connection, since: datetime, fewest: int) -> list[Alike]:
    """Return the reasons for which a domain refused at least so many readers, the last one first."""
    b = bounces.c
    readers, last_at = func.count(b.subscriber_id.distinct()), func.max(b.at, type_=Moment())
    rows = connection.execute(
        select(b.domain, b.reason, readers.label("readers"), last_at.label("last_at"))
        .where(*_in_window(since))
        .group_by(b.domain, b.reason)
        .having(readers >= fewest)
        .order_by(last_at.desc(), b.domain, b.reason)
    )
    return [Alike(domain=row.domain, reason=row.reason, readers=row.readers, last_at=row.last_at) for row in rows]


def last_text(connection: Connection, alike: Alike, since: datetime) -> str:
    """Return what the domain's server said last."""
    b = bounces.c
    text = select(b.detail).where(*_like(alike, since)).order_by(b.at.desc(), b.id.desc()).limit(1)
    return connection.execute(text).scalar() or ""


def _like(alike: Alike, since: datetime) -> tuple[ColumnElement[bool], ...]:
    b = bounces.c
    return b.domain == alike.domain, b.reason == alike.reason, *_in_window(since)


def _in_window(since: datetime) -> tuple[ColumnElement[bool], ...]:
    # What lies ahead, a clock that was ahead has dated.
    b = bounces.c
    return b.at >= since, b.at <= since + WINDOW + SKEW, b.kind.in_(_REFUSALS)


def of_subscriber(connection: Connection, subscriber_id: int) -> list[CountedBounce]:
    """Return the reports about a subscriber, the oldest first."""
    rows = connection.execute(
        select(bounces.c.kind, bounces.c.at, bounces.c.edition_id)
        .where(bounces.c.subscriber_id == subscriber_id)
        .order_by(bounces.c.at, bounces.c.id)
    )
    return [CountedBounce(kind=BounceKind(row.kind), at=row.at, edition_id=row.edition_id) for row in rows]


def whose(connection: Connection, subscriber_id: int) -> str | None:
    """Return the key of a subscriber's address; None if there is no such subscriber any more."""
    key: str | None = connection.execute(select(subscribers.c.key).where(subscribers.c.id == subscriber_id)).scalar()
    return key


def is_of_earlier_address(connection: Connection, event: BounceEvent, now: datetime) -> bool:
    """Return whether the delivery an event is about ended before its subscriber changed their address."""
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
    """Let what was reported about an address count no more; the reports stay known, so that none counts twice."""
    owner = select(subscribers.c.id).where(subscribers.c.key == key)
    connection.execute(update(bounces).where(bounces.c.subscriber_id.in_(owner)).values(kind=BounceKind.FORGIVEN))
