"""Queues the deliveries of an edition, in the transaction that publishes it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection

from digestmail.editions.cadence import audience_of
from digestmail.editions.compose import Composed
from digestmail.editions.due_time import DueTime
from digestmail.editions.personal import PickedPapers, ReaderPicks
from digestmail.editions.recipients import ReceivedPapers, SegmentAssigner
from digestmail.model.digests import Digest
from digestmail.model.selection import PersonalSection
from digestmail.storage import audience, deliveries, received

_CHUNK = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """What was queued for an edition."""

    recipients: int = 0
    personal: int = 0
    """Recipients for whom papers were picked."""
    nothing_for: int = 0
    """Subscribers without papers."""
    example: PersonalSection | None = None
    """The section "For you" of one of them."""


def enqueue(
    connection: Connection, digest: Digest, composed: Composed, edition_id: int, due: DueTime, *, send_empty: bool
) -> Queued:
    """Queue a delivery for each subscriber with papers; with `send_empty`, also for the others."""
    edition = composed.edition
    assigner = SegmentAssigner(connection, edition, edition_id, personal=digest.personal, empty=send_empty)
    readers = ReaderPicks(connection, digest, edition, composed.pickable)
    picked = PickedPapers(edition, composed.pickable)
    paper_ids = [entry.paper.id for entry in (composed.pickable if readers.possible else edition.entries)]
    before = received.earlier(connection, paper_ids, digest, edition_id)
    whom = audience_of(connection, digest, edition.slot, edition.composed_at)
    received_papers = ReceivedPapers(received.of_everyone(connection, before, audience.ids_of(whom, due.now)))
    people = audience.wanted_by(connection, whom, due.now, lock=True)
    recipients = personal = total = 0
    while chunk := list(islice(people, _CHUNK)):
        total += len(chunk)
        got = {subscriber_id: received_papers.by(subscriber_id) for subscriber_id, _ in chunk}
        packed = {reader: picked.packed(reader, found) for reader, found in readers.pick(got)}
        rows = [
            (subscriber_id, segment_id, due.at(wanted.hour, wanted.timezone))
            for subscriber_id, wanted in chunk
            if (segment_id := assigner.segment_for(wanted, got[subscriber_id], picked=subscriber_id in packed))
            is not None
        ]
        picked.store(connection, edition_id)
        recipients += deliveries.enqueue(connection, rows, edition_id, packed)
        personal += len(packed)
    return Queued(recipients=recipients, personal=personal, nothing_for=total - recipients, example=picked.first)
