"""Updates the queued deliveries of a subscriber who changed their preferences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from digestmail.editions.due_time import DueTime
from digestmail.editions.recipients import SegmentAssigner
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Subscriber, Subscription
from digestmail.schedule.cadence import is_rarer
from digestmail.storage import deliveries, editions, received
from digestmail.storage.audience import RecipientChoices
from digestmail.storage.deliveries import Waiting


def requeue(
    connection: Connection, digests: Sequence[Digest], before: Subscriber, after: Subscriber, now: datetime
) -> int:
    """Update the content and the time of a subscriber's queued deliveries; return how many changed.

    Deliveries for which no papers are left are cancelled. Deliveries that are being sent are not changed. An
    announcement is due at once and goes to all readers, so of all preferences only the language matters to it.
    """
    by_name = {digest.name: digest for digest in digests}
    old = {one.digest: one for one in before.subscriptions}
    changed = 0
    for one in after.subscriptions:
        digest = by_name.get(one.digest)
        was = old.get(one.digest)
        if digest is None or was is None:
            continue
        content_changed = was.topics != one.topics or before.language != after.language
        hour_changed = was.hour != one.hour or before.timezone != after.timezone
        if is_rarer(one.cadence, was.cadence):
            # The papers come with the next edition that they chose.
            why = f"{one.cadence} chosen"
            changed += deliveries.cancel(connection, after.id, why, now, digest=one.digest, announcements=False)
        for waiting in deliveries.waiting(connection, after.id, one.digest):
            if content_changed:
                segment_id = _segment(connection, digest, waiting, one, after)
                deliveries.move(connection, waiting, segment_id, now)
            if hour_changed and waiting.attempts == 0 and not waiting.announcement:
                due_at = DueTime(digest.schedule, now).at(one.hour, after.timezone)
                deliveries.postpone(connection, waiting, due_at)
            changed += content_changed or (hour_changed and not waiting.announcement)
    return changed


def _segment(
    connection: Connection, digest: Digest, waiting: Waiting, one: Subscription, person: Subscriber
) -> int | None:
    """Create the segment of this edition for a subscriber's new preferences; None if no papers are left.

    What was picked for them stays.
    """
    edition_id = waiting.edition_id
    edition = editions.get_by_id(connection, edition_id).edition
    paper_ids = [entry.paper.id for entry in edition.entries]
    before = received.earlier(connection, paper_ids, digest, edition_id)
    without = received.of(connection, person.id, before)
    assigner = SegmentAssigner(connection, edition, edition_id, personal=digest.personal, empty=not edition.entries)
    wanted = RecipientChoices(one.topics, one.hour, person.timezone, person.language)
    return assigner.segment_for(wanted, without, picked=waiting.picks is not None)
