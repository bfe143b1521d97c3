"""Announcements: messages from the operator to the readers of a digest, outside its schedule.

An announcement is stored as an edition without papers, under the name `daily@announcement` and a key made from its
content. So each reader gets the same text at most once, and everything after publishing is as for an edition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from digestmail.editions.publish import Render
from digestmail.errors import StorageError
from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import Digest, announcement_name
from digestmail.model.editions import Announcement, Edition, Slot
from digestmail.schedule.moments import is_recent
from digestmail.storage import audience, deliveries, editions, settings
from digestmail.storage.database import Database

_CHUNK: Final = 20_000
_FORGETFUL: Final = timedelta(days=30)
"""How long after a restore a text may be one that was announced before it."""
_KEY_LENGTH: Final = 12
"""Hexadecimal digits: 48 bits, so that two texts of one digest never share a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementStatus:
    """What an announcement has become, or whom it would go to."""

    key: str
    """The slot under which deliveries are listed."""
    announced_at: datetime | None
    """When its deliveries were queued; None if they were not."""
    recipients: int
    """The readers with a delivery, or those who would get one."""
    paused: int = 0
    """Readers who would not get one because their emails are paused."""
    states: dict[DeliveryState, int]
    """The deliveries by state."""
    forgotten_before: datetime | None = None
    """When the database was put back from a backup, if that was lately: what was announced before may not be in it."""


def announcement_edition(digest: Digest, announcement: Announcement, now: datetime) -> Edition:
    """Return the edition as which `announcement` is stored."""
    day = now.astimezone(ZoneInfo(digest.schedule.timezone)).date()
    return Edition(
        digest=announcement_name(digest.name),
        slot=Slot(at=now, key=_key(announcement), day=day),
        title=digest.title,
        byline="",
        composed_at=now,
        announcement=announcement,
    )


def _key(announcement: Announcement) -> str:
    return sha256(announcement.text.encode()).hexdigest()[:_KEY_LENGTH]


def announcement_status(
    database: Database, digest: Digest, announcement: Announcement, now: datetime, *, paused: bool = False
) -> AnnouncementStatus:
    """Return what an announcement has become. If it is new, count its readers; with `paused`, also paused ones."""
    with database.connect() as connection:
        stored = editions.get(connection, announcement_name(digest.name), _key(announcement))
        if stored is not None:
            states = deliveries.counts(connection, stored.id)
            return AnnouncementStatus(
                key=stored.edition.slot.key,
                announced_at=stored.edition.composed_at,
                recipients=sum(states.values()),
                states=states,
            )
        restored_at = settings.restored_at(connection)
        everyone = audience.count_readers(connection, digest.name, now, paused=True)
        awake = everyone if paused else audience.count_readers(connection, digest.name, now)
        return AnnouncementStatus(
            key=_key(announcement),
            announced_at=None,
            recipients=awake,
            paused=everyone - awake,
            states={},
            forgotten_before=restored_at if restored_at and is_recent(restored_at, now, _FORGETFUL) else None,
        )


def announce(
    database: Database,
    digest: Digest,
    announcement: Announcement,
    render: Render,
    now: datetime,
    *,
    paused: bool = False,
) -> int:
    """Queue an announcement, in one transaction, for all active readers of `digest` at `now`; return for how many.

    It returns 0 if the same text was announced to this digest before: nobody is added then. Raises RenderError if it
    cannot be rendered in one of the readers' languages, and StorageError if there are no readers.
    """
    edition = announcement_edition(digest, announcement, now)
    with database.begin() as connection:
        edition_id = editions.add(connection, edition)
        if edition_id is None:
            return 0
        people = audience.readers_of(connection, digest.name, now, paused=paused, lock=True)
        queued = _enqueue(connection, edition, edition_id, people, render)
        if not queued:
            raise StorageError(f"digest {digest.name!r} has no readers who would get the announcement")
        editions.set_recipients(connection, edition_id, queued)
    return queued


def _enqueue(
    connection: Connection,
    edition: Edition,
    edition_id: int,
    people: Iterator[tuple[int, str | None]],
    render: Render,
) -> int:
    segments: dict[str | None, int] = {}
    queued = 0
    while chunk := list(islice(people, _CHUNK)):
        for language in {language for _, language in chunk} - segments.keys():
            render(edition, (), language=language)
            segments[language] = editions.add_segment(connection, edition_id, (), (), language)
        rows = [(subscriber_id, segments[language], edition.composed_at) for subscriber_id, language in chunk]
        queued += deliveries.enqueue(connection, rows, edition_id)
    return queued
