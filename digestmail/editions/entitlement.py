"""Entitlement: what a subscriber gets of an edition, and why. Read-only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from digestmail.model.digests import Digest
from digestmail.model.editions import Edition
from digestmail.model.papers import PaperId
from digestmail.model.selection import Section
from digestmail.model.subscribers import Subscriber
from digestmail.selection.segments import committed, for_segment, matching
from digestmail.storage import deliveries, editions
from digestmail.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """A subscriber's part of an edition."""

    sections: tuple[Section, ...]
    topics: tuple[str, ...] = ()
    """The topics they chose; empty means all."""
    received: frozenset[PaperId] = frozenset()
    """Papers in these topics that another digest already contained."""
    language: str | None = None
    """None means the digest's language."""
    subscribed: bool = True
    """Whether the person is subscribed to the digest."""
    delivered: bool = False
    """Whether this is the stored content of their delivery, instead of what they would get now."""


def entitlement(database: Database, digest: Digest, edition: Edition, subscriber: Subscriber) -> Entitlement:
    """Like `entitlement_of`, but opens a connection."""
    with database.connect() as connection:
        return entitlement_of(connection, digest, edition, subscriber)


def entitlement_of(connection: Connection, digest: Digest, edition: Edition, subscriber: Subscriber) -> Entitlement:
    """Return what `subscriber` gets of `edition`: the stored content, or what publishing it now would give."""
    subscription = next((one for one in subscriber.subscriptions if one.digest == digest.base), None)
    delivered = _delivered(connection, digest, edition, subscriber)
    if delivered is not None:
        return delivered
    topics = () if subscription is None else subscription.topics
    received = _received(connection, digest, edition, subscriber)
    return Entitlement(
        sections=for_segment(edition, topics, received),
        topics=topics,
        received=received & matching(edition, topics),
        language=subscriber.language,
        subscribed=subscription is not None,
    )


def _delivered(connection: Connection, digest: Digest, edition: Edition, subscriber: Subscriber) -> Entitlement | None:
    stored = editions.get(connection, edition.digest, edition.slot.key)
    if stored is None or stored.edition != edition:
        return None
    segment_id = deliveries.segment_of(connection, stored.id, subscriber.id)
    if segment_id is None:
        return None
    segment = editions.segment(connection, segment_id)
    left_out = matching(edition, segment.topics) - frozenset(segment.paper_ids)
    return Entitlement(
        sections=committed(edition, segment),
        topics=segment.topics,
        received=_received(connection, digest, edition, subscriber) & left_out,
        language=segment.language,
        delivered=True,
    )


def _received(connection: Connection, digest: Digest, edition: Edition, subscriber: Subscriber) -> frozenset[PaperId]:
    paper_ids = [entry.paper.id for entry in edition.entries]
    prior = editions.prior_segments(connection, paper_ids, edition.digest, digest.allow_repeats_of)
    got = editions.received_by(connection, subscriber.id, prior)
    return frozenset[PaperId]().union(*(prior[segment_id] for segment_id in got))
