"""An outbox to play with: editions, people, and the rows between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from fakes import THURSDAY

from digestmail.model.deliveries import Delivery
from digestmail.model.editions import Edition, Slot
from digestmail.model.papers import Signals
from digestmail.model.selection import Entry, Score, Section
from digestmail.model.subscribers import Subscription
from digestmail.selection.segments import for_all_topics
from digestmail.storage import claims, deliveries, editions, subscribers

LEASE = timedelta(minutes=15)


def edition(*found, name: str = "daily", key: str = "2026-04-02", reason: str = "") -> Edition:
    entries = tuple(
        Entry(paper=one, signals=Signals(), score=Score(total=1.0), rank=rank)
        for rank, one in enumerate(found, start=1)
    )
    return Edition(
        digest=name,
        slot=Slot(at=THURSDAY, key=key, day=THURSDAY.date()),
        title="Trending papers",
        byline="",
        composed_at=THURSDAY,
        entries=entries,
        reason=reason,
    )


def publish(connection, found: Edition, ids, *, segments: int = 1) -> int:
    edition_id = editions.add(connection, found)
    sections = for_all_topics(found)
    made = [editions.add_segment(connection, edition_id, [], sections) for _ in range(segments)]
    rows = [(subscriber_id, made[index % segments], THURSDAY) for index, subscriber_id in enumerate(ids)]
    assert deliveries.enqueue(connection, iter(rows), edition_id) == len(rows)
    return edition_id


def part_of(found: Edition, *numbers: int) -> tuple[Section, ...]:
    """Return one section with these of an edition's papers, by their place from 1."""
    entries = tuple(entry for place, entry in enumerate(found.entries, start=1) if place in numbers)
    return (Section(topic=None, entries=entries),)


def people(connection, count: int, *digests: str, domains: Sequence[str] = ("example.org",)) -> list[int]:
    addresses = [f"p{number}@{domains[number % len(domains)]}" for number in range(count)]
    ids = [subscribers.add(connection, address, THURSDAY) for address in addresses]
    for subscriber_id in ids:
        for name in digests or ("daily",):
            subscribers.subscribe(connection, subscriber_id, Subscription(digest=name), THURSDAY)
    return ids


def claim_deliveries(connection, limit: int, now=THURSDAY, lease=LEASE) -> list[Delivery]:
    """Claim where there are no notices."""
    claimed = claims.claim(connection, now, lease, limit)
    found = [one for one in claimed if isinstance(one, Delivery)]
    assert len(found) == len(claimed)
    return found
