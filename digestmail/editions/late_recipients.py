"""Queues an edition that is out for subscribers who did not get it, such as those who subscribed since.

A delivery that was cancelled is queued again. If it may have been sent all the same, only the operator's explicit word
does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from digestmail.editions.recipients import SegmentAssigner
from digestmail.errors import StorageError
from digestmail.model.archive import StoredEdition
from digestmail.model.deliveries import PUT_BACK, TOO_LATE
from digestmail.model.digests import Digest
from digestmail.model.subscribers import Subscriber, SubscriberState
from digestmail.storage import audience, deliveries, editions, late_deliveries, received, settings, subscribers
from digestmail.storage.audience import Audience, RecipientChoices
from digestmail.storage.database import Database
from digestmail.storage.late_deliveries import Cancelled

WELCOME_WITHIN = timedelta(days=14)
"""An older edition is no welcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LateRecipients:
    """What was queued of an edition."""

    slot: str
    queued: int
    had_it: int
    """Subscribers who have a delivery of it already."""
    uncertain: int
    """Subscribers who may have got it; they are not queued."""
    nothing_for: int
    """Subscribers without papers in it."""


def queue_edition(
    database: Database, digest: Digest, slot: str | None, address: str | None, now: datetime, *, uncertain: bool = False
) -> LateRecipients:
    """Queue the edition of `slot`, or the latest one, for `address`, or for all active subscribers who lack it.

    Paused subscribers and those who get the digest less often are left out, unless their address is given. Those who
    may have got it are left out, unless `uncertain`. Raises StorageError if there is no such edition, or if `address`
    is not subscribed to the digest.
    """
    with database.begin() as connection:
        stored = _edition(connection, digest, slot)
        if address is None:
            people = [one for one, _ in audience.wanted_by(connection, Audience(digest=digest.name), now)]
        else:
            people = [_subscriber(connection, digest, address).id]
        had_it = deliveries.recipients_of(connection, stored.id)
        cancelled = _cancelled(connection, stored.id)
        held = set[int]() if uncertain else {one for one in people if cancelled.get(one)}
        if not uncertain:
            held |= _forgotten(connection, stored, [one for one in people if one not in had_it])
        waiting = [one for one in people if (one not in had_it or one in cancelled) and one not in held]
        queued = sum(_queue(connection, digest, stored, one, now, again=one in cancelled) for one in waiting)
    return LateRecipients(
        slot=stored.edition.slot.key,
        queued=queued,
        had_it=len(people) - len(waiting) - len(held),
        uncertain=len(held),
        nothing_for=len(waiting) - queued,
    )


def may_have_been_sent(one: Cancelled, restored_at: datetime | None) -> bool:
    """Return whether a cancelled delivery may have been sent; `restored_at` is the last restore from a backup.

    The database may be older than the delivery if it was restored since, or if the delivery was too late. Otherwise
    only what was still waiting is cancelled.
    """
    forgotten = restored_at is not None and (one.cancelled_at is None or one.cancelled_at <= restored_at)
    return one.may_have_arrived or forgotten or one.why == PUT_BACK or one.why.startswith(TOO_LATE)


def welcome(connection: Connection, digests: Sequence[Digest], subscriber_id: int, now: datetime) -> int:
    """Queue the latest edition of each digest that greets new subscribers with it; return how many."""
    person = subscribers.get(connection, subscriber_id)
    subscribed = {one.digest for one in person.subscriptions} if person else set()
    queued = 0
    for digest in digests:
        latest = editions.latest(connection, digest.name) if digest.name in subscribed else None
        if not digest.welcome_edition or latest is None or latest.edition.slot.at < now - WELCOME_WITHIN:
            continue
        again = _cancelled(connection, latest.id, subscriber_id).get(subscriber_id) is False
        if again or deliveries.content_of(connection, latest.id, subscriber_id) is None:
            queued += _queue(connection, digest, latest, subscriber_id, now, again=again)
    return queued


def _cancelled(connection: Connection, edition_id: int, subscriber_id: int | None = None) -> dict[int, bool]:
    """Return whether the cancelled deliveries of an edition may have been sent, by subscriber id."""
    restored_at = settings.restored_at(connection)
    found = late_deliveries.cancelled(connection, edition_id, subscriber_id)
    return {one.subscriber_id: may_have_been_sent(one, restored_at) for one in found}


def _forgotten(connection: Connection, stored: StoredEdition, people: Sequence[int]) -> set[int]:
    """Return who of `people` may have got an edition although no delivery says so.

    If the database was put back from a backup since, it does not know what `send` sent after the backup was made.
    """
    restored_at = settings.restored_at(connection)
    if restored_at is None or stored.edition.composed_at > restored_at:
        return set()
    return subscribers.known_at(connection, people, restored_at)


def _edition(connection: Connection, digest: Digest, slot: str | None) -> StoredEdition:
    found = editions.latest(connection, digest.name) if slot is None else editions.get(connection, digest.name, slot)
    if found is None or not found.edition.entries:
        which = "no edition with papers" if slot is None else f"no edition {slot} with papers"
        raise StorageError(f"digest {digest.name!r} has {which}: `digestmail editions list` lists them")
    return found


def _subscriber(connection: Connection, digest: Digest, address: str) -> Subscriber:
    found = subscribers.find(connection, address)
    subscribed = found is not None and any(one.digest == digest.name for one in found.subscriptions)
    if found is None or not subscribed or found.state is not SubscriberState.ACTIVE:
        raise StorageError(f"{address} is not subscribed to {digest.name!r}: `digestmail subscribers show` says more")
    return found


def _queue(
    connection: Connection, digest: Digest, stored: StoredEdition, subscriber_id: int, now: datetime, *, again: bool
) -> bool:
    """Queue an edition for one subscriber, with `again` by their cancelled delivery.

    Return whether there are papers for them.
    """
    person = subscribers.get(connection, subscriber_id)
    wish = next((one for one in person.subscriptions if one.digest == digest.name), None) if person else None
    if person is None or wish is None:
        return False
    paper_ids = [entry.paper.id for entry in stored.edition.entries]
    before = received.of(connection, subscriber_id, received.earlier(connection, paper_ids, digest, stored.id))
    assigner = SegmentAssigner(connection, stored.edition, stored.id, personal=False, empty=False)
    wanted = RecipientChoices(wish.topics, wish.hour, person.timezone, person.language)
    segment_id = assigner.segment_for(wanted, before)
    if segment_id is None:
        return False
    if again:
        return late_deliveries.queue_again(connection, stored.id, subscriber_id, segment_id, now)
    queued = deliveries.enqueue(connection, [(subscriber_id, segment_id, now)], stored.id)
    editions.add_recipients(connection, stored.id, queued)
    return True
