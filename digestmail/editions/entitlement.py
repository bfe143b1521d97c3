"""Entitlement: what a subscriber gets of an edition, and why. Read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from digestmail.editions.personal import PickedPapers, ReaderPicks
from digestmail.model.archive import SentEdition
from digestmail.model.digests import Digest
from digestmail.model.editions import Edition
from digestmail.model.papers import PaperId
from digestmail.model.selection import Entry, PersonalSection, Section
from digestmail.model.subscribers import Subscriber
from digestmail.selection.segments import committed, for_segment, matching, with_picks
from digestmail.storage import deliveries, editions, picks, received
from digestmail.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """A subscriber's part of an edition."""

    sections: tuple[Section, ...]
    """The section "For you" is the first one, if there is any."""
    topics: tuple[str, ...] = ()
    """The topics they chose; empty means all."""
    received: frozenset[PaperId] = frozenset()
    """Papers in these topics that they received before, from another digest or because they were picked for them."""
    language: str | None = None
    """None means the digest's language."""
    subscribed: bool = True
    """Whether the person is subscribed to the digest."""
    delivered: bool = False
    """Whether this is the stored content of their delivery, instead of what they would get now."""


def entitlement(
    database: Database, digest: Digest, edition: Edition, subscriber: Subscriber, pickable: Sequence[Entry] = ()
) -> Entitlement:
    """Like `entitlement_of`, but opens a connection."""
    with database.connect() as connection:
        return entitlement_of(connection, digest, edition, subscriber, pickable)


def entitlement_of(
    connection: Connection, digest: Digest, edition: Edition, subscriber: Subscriber, pickable: Sequence[Entry] = ()
) -> Entitlement:
    """Return what `subscriber` gets of `edition`: the stored content, or what publishing it now would give.

    `pickable` are the papers that may be picked for them, as `Composed` has them.
    """
    subscription = next((one for one in subscriber.subscriptions if one.digest == digest.base), None)
    stored = editions.get(connection, edition.digest, edition.slot.key)
    edition_id = stored.id if stored is not None and stored.edition == edition else None
    delivered = None if edition_id is None else _delivered(connection, digest, edition, edition_id, subscriber)
    if delivered is not None:
        return delivered
    topics = () if subscription is None else subscription.topics
    got = _received(connection, digest, edition, edition_id, subscriber, pickable)
    picked = None if subscription is None else _picked(connection, digest, edition, subscriber, pickable, got)
    sections = () if picked is not None and digest.personal else for_segment(edition, topics, got)
    return Entitlement(
        sections=with_picks(sections, picked, edition.limits.max_papers),
        topics=topics,
        received=got & matching(edition, topics),
        language=subscriber.language,
        subscribed=subscription is not None,
    )


def last_sent(database: Database, subscriber_id: int, limit: int) -> tuple[SentEdition, ...]:
    """Return the last editions as a subscriber was sent them, newest first."""
    with database.connect() as connection:
        found = []
        for edition_id, segment_id, packed, sent_at in deliveries.last_sent(connection, subscriber_id, limit):
            edition = editions.get_by_id(connection, edition_id).edition
            picked = picks.section(connection, edition, edition_id, packed)
            kept = committed(edition, editions.segment(connection, segment_id))
            sections = with_picks(kept, picked, edition.limits.max_papers)
            found.append(SentEdition(edition=edition, sections=sections, sent_at=sent_at))
    return tuple(found)


def _picked(
    connection: Connection,
    digest: Digest,
    edition: Edition,
    subscriber: Subscriber,
    pickable: Sequence[Entry],
    got: frozenset[PaperId],
) -> PersonalSection | None:
    found = dict(ReaderPicks(connection, digest, edition, pickable).pick({subscriber.id: got}))
    return PickedPapers(edition, pickable).section(found[subscriber.id]) if found else None


def _delivered(
    connection: Connection, digest: Digest, edition: Edition, edition_id: int, subscriber: Subscriber
) -> Entitlement | None:
    content = deliveries.content_of(connection, edition_id, subscriber.id)
    if content is None:
        return None
    segment_id, packed = content
    segment = editions.segment(connection, segment_id)
    picked = picks.section(connection, edition, edition_id, packed)
    left_out = matching(edition, segment.topics) - frozenset(segment.paper_ids)
    return Entitlement(
        sections=with_picks(committed(edition, segment), picked, edition.limits.max_papers),
        topics=segment.topics,
        received=_received(connection, digest, edition, edition_id, subscriber) & left_out,
        language=segment.language,
        delivered=True,
    )


def _received(
    connection: Connection,
    digest: Digest,
    edition: Edition,
    edition_id: int | None,
    subscriber: Subscriber,
    pickable: Sequence[Entry] = (),
) -> frozenset[PaperId]:
    paper_ids = [entry.paper.id for entry in pickable or edition.entries]
    before = received.earlier(connection, paper_ids, digest, edition_id)
    return received.of(connection, subscriber.id, before)
