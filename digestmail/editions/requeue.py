"""Requeue: what waits for somebody who changed their choices becomes what they chose now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from digestmail.editions.due_time import DueTime
from digestmail.model.digests import Digest
from digestmail.model.papers import PaperId
from digestmail.model.subscribers import Subscriber, Subscription
from digestmail.selection.segments import for_segment
from digestmail.storage import deliveries, editions


def requeue(
    connection: Connection, digests: Sequence[Digest], before: Subscriber, after: Subscriber, now: datetime
) -> int:
    """Give each delivery that waits for a subscriber the content and the hour they now chose; return how many changed.

    One whose topics leave nothing of its edition is cancelled. What is being sent already is left to its worker.
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
        for waiting in deliveries.waiting(connection, after.id, one.digest):
            if content_changed:
                segment_id = _segment(connection, digest, waiting.edition_id, one, after)
                deliveries.move(connection, waiting, segment_id, now)
            if hour_changed and waiting.attempts == 0:
                due_at = DueTime(digest.schedule.timezone, now).at(one.hour, after.timezone)
                deliveries.postpone(connection, waiting, due_at)
            changed += content_changed or hour_changed
    return changed


def _segment(
    connection: Connection, digest: Digest, edition_id: int, one: Subscription, person: Subscriber
) -> int | None:
    """Make the segment of this edition for what a person chose now; None when nothing of it is left for them."""
    edition = editions.get_by_id(connection, edition_id).edition
    paper_ids = [entry.paper.id for entry in edition.entries]
    prior = editions.prior_segments(connection, paper_ids, exclude_digests=(digest.name, *digest.allow_repeats_of))
    received = editions.received_by(connection, person.id, prior)
    without = frozenset[PaperId]().union(*(prior[segment] for segment in received))
    sections = for_segment(edition, one.topics, without)
    if edition.entries and not sections:
        return None
    return editions.add_segment(connection, edition_id, one.topics, sections, person.language)
