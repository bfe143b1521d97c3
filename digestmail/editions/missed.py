"""Slots in which digestmail did not run: which of them still get an edition, and whose papers are left out. Read-only.

A slot is missed if a later one has begun and nothing is recorded for it, not even that it was empty. Slots before the
first record of a digest are not missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

from sqlalchemy import Connection

from digestmail.model.digests import Digest, OnMissed, Schedule
from digestmail.model.editions import Edition, Slot
from digestmail.model.selection import Candidate
from digestmail.schedule.cron import current_slot, next_fire
from digestmail.storage import editions, settings
from digestmail.storage.database import Database

MOST_AT_ONCE = 3
"""Editions that a digest publishes at once after an outage. The first of them has the papers of all slots before."""
_MOST_NAMED = 31
_INSTANT = timedelta(microseconds=1)


def slot_before(schedule: Schedule, slot: Slot) -> Slot | None:
    """Return the slot before `slot`, or None."""
    return current_slot(schedule, slot.at - _INSTANT)


def missed_slots(connection: Connection, digest: Digest, slot: Slot, horizon: datetime | None = None) -> list[Slot]:
    """Return the slots that were missed directly before `slot`, oldest first, at most the last 31.

    Records after `horizon`, the latest possible time if known, were made with a clock that was ahead.
    """
    last_at = editions.last_slot_at(connection, digest.name, before=slot.at, horizon=horizon)
    if last_at is None or digest.catch_up is not None:
        return []
    restored_at = settings.restored_at(connection)
    closed_at = last_at if restored_at is None else max(last_at, restored_at)
    return [*islice(_back(digest.schedule, slot, closed_at), _MOST_NAMED)][::-1]


def missed_lately(
    database: Database, digest: Digest, now: datetime, horizon: datetime | None = None
) -> tuple[Slot, ...]:
    """Return the slots that were missed directly before the current one, oldest first."""
    slot = current_slot(digest.schedule, now)
    if slot is None:
        return ()
    with database.connect() as connection:
        return tuple(missed_slots(connection, digest, slot, horizon))


def due_slots(connection: Connection, digest: Digest, now: datetime, horizon: datetime | None = None) -> list[Slot]:
    """Return the slots to publish at `now`, oldest first: the current one, after missed ones if each has an edition."""
    slot = current_slot(digest.schedule, now)
    if slot is None:
        return []
    if digest.on_missed is not OnMissed.EACH:
        return [slot]
    return [*missed_slots(connection, digest, slot, horizon)[-(MOST_AT_ONCE - 1) :], slot]


def skipped_until(connection: Connection, digest: Digest, slot: Slot, since: datetime) -> date | None:
    """Return up to which day papers are left out of the edition of `slot`, because their slots were missed.

    None means that no slot from `since` on was missed, or that missed papers are not left out.
    """
    if digest.on_missed is not OnMissed.SKIP:
        return None
    first_at = editions.first_slot_at(connection, digest.name, before=slot.at)
    if first_at is None:
        return None
    known = editions.recorded_slots(connection, digest.name, since, before=slot.at)
    back = _back(digest.schedule, slot, max(first_at, since - _INSTANT))
    return next((one.day for one in back if one.at not in known), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InTurn:
    """The candidates of a slot, and after which time one came that is new: for the edition, and for picks."""

    candidates: tuple[Candidate, ...]
    last_at: datetime | None
    sent_at: datetime | None


def in_turn(
    connection: Connection,
    digest: Digest,
    slot: Slot,
    last: Edition | None,
    window: tuple[datetime, datetime],
    found: Iterable[Candidate],
) -> InTurn:
    """Return the candidates that belong to `slot`, of those `found` in the `window`, from and to.

    `last` is the edition before. Usually all candidates belong to the slot. After an outage, papers of several slots
    come at once. Then the days in their sources decide.
    """
    candidates = tuple(found)
    since, now = window
    last_at = last.composed_at if last else None
    sent_at = editions.last_sent_at(connection, digest.name, before=slot.at) if digest.personal else None
    if digest.catch_up is not None:
        return InTurn(candidates=candidates, last_at=last_at, sent_at=sent_at)
    if floor := skipped_until(connection, digest, slot, since):
        candidates = tuple(one for one in candidates if one.day > floor)
    if next_fire(digest.schedule, slot.at) <= now:
        candidates = tuple(one for one in candidates if one.day <= slot.day)
    before = slot_before(digest.schedule, slot)
    if before is not None and any(moment is not None and moment >= slot.at for moment in (last_at, sent_at)):
        # The edition before was published late, when the papers of both had come.
        candidates = tuple(replace(one, came_at=_begins(one.day)) for one in candidates)
        last_at = sent_at = _begins(before.day)
    return InTurn(candidates=candidates, last_at=last_at, sent_at=sent_at)


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _back(schedule: Schedule, slot: Slot, after: datetime) -> Iterator[Slot]:
    """Yield the slots before `slot` that began later than `after`, newest first."""
    before = slot_before(schedule, slot)
    while before is not None and before.at > after:
        yield before
        before = slot_before(schedule, before)
