"""Compose: what an edition of a digest would hold. Reads, decides, writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection

from digestmail.errors import StorageError
from digestmail.model import Candidate, Digest, Edition, Health, Outcome, Selection, Slot
from digestmail.moments import DATED_AHEAD, is_ahead
from digestmail.selection.select import in_window, select
from digestmail.slots import current_slot, next_fire, open_until
from digestmail.storage import editions, papers, settings
from digestmail.storage import sources as stored_sources

_LONGEST_GAP = timedelta(days=30)
"""However long nothing was published, papers older than this are no news."""
_FIRST_MAY_BE_LATE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """An edition that has not been published, and every decision behind it."""

    edition: Edition
    selection: Selection
    since: datetime
    """Papers first seen before this were not considered."""


def compose(
    connection: Connection, digest: Digest, slot: Slot, now: datetime, horizon: datetime | None = None
) -> Composed:
    """Return the edition of `digest` for `slot`: the same one whenever it is asked for with the same papers stored.

    `horizon` is the latest it can be, where that is known: papers seen behind it a clock that was ahead has dated, and
    they count from the day their source dates them.
    """
    since = window_start(connection, digest, slot)
    found = (_dated(c, now, horizon) for c in papers.candidates(connection, digest.sources, since))
    seen = [c for c in found if c.first_seen_at <= now]
    candidates = [c for c in seen if in_window(c.first_seen_at, c.day, since)]
    published = papers.published(connection, digest.name, [candidate.paper.id for candidate in candidates])
    selection = select(
        candidates,
        published,
        digest.topics,
        digest.limits,
        digest.weights,
        slot.day,
        also_trending=digest.also_trending,
    )
    reason = _why_nothing(connection, digest, slot, candidates, selection)
    if reason and len(seen) > len(candidates):
        reason = f"{len(seen) - len(candidates)} papers came that are dated long before; {reason}"
    edition = Edition(
        digest=digest.name,
        slot=slot,
        title=digest.title,
        byline=digest.byline,
        composed_at=now,
        sections=() if reason else selection.sections,
        considered=len(candidates),
        reason=reason,
    )
    return Composed(edition=edition, selection=selection, since=since)


def _dated(candidate: Candidate, now: datetime, horizon: datetime | None) -> Candidate:
    """Return a candidate that was seen ahead of every clock as one seen by the end of the day its source names."""
    if horizon is None or not is_ahead(candidate.first_seen_at, horizon):
        return candidate
    ends = datetime.combine(candidate.day + timedelta(days=1), time(), UTC)
    if ends > horizon + DATED_AHEAD:
        return candidate
    return replace(candidate, first_seen_at=min(ends, now))


def window_start(connection: Connection, digest: Digest, slot: Slot) -> datetime:
    """Return from when on papers count: the digest's window, stretched back to the last edition if days were missed."""
    start = slot.at - timedelta(days=digest.window_days)
    last = editions.latest(connection, digest.name, before=slot.at)
    if last is None:
        return start
    return max(min(start, last.edition.slot.at), slot.at - _LONGEST_GAP)


def _why_nothing(
    connection: Connection, digest: Digest, slot: Slot, candidates: list[Candidate], selection: Selection
) -> str:
    """Return why there is no edition, or an empty string if there is one.

    Papers left over from the last edition may fill up a new one but are no reason for one: without anything that
    came since, a weekend would bring Friday's leavings.
    """
    last = editions.latest(connection, digest.name, before=slot.at)
    came_since = {
        candidate.paper.id
        for candidate in candidates
        if last is None or candidate.first_seen_at > last.edition.composed_at
    }
    if selection.sections and any(
        decision.paper_id in came_since for decision in selection.decisions if decision.outcome is Outcome.SELECTED
    ):
        return ""
    states = [
        f"{row.source}: {row.health} ({row.detail})"
        for name in digest.sources
        for row in stored_sources.list_health(connection, source=name)
        if not row.category
    ]
    if came_since:
        return f"none of {len(came_since)} new papers qualified; " + "; ".join(states)
    return "no new papers; " + ("; ".join(states) or "no source has been read yet")


def upcoming_slot(connection: Connection, digest: Digest, now: datetime, horizon: datetime | None = None) -> Slot:
    """Return the slot whose edition would go out next: the due one while it is open, else the one after it."""
    slot = current_slot(digest.schedule, now)
    if slot is not None and is_open(connection, digest, slot, now, horizon):
        return slot
    coming = current_slot(digest.schedule, next_fire(digest.schedule, now))
    if coming is None:
        raise StorageError(f"digest {digest.name!r} has no slot at or after {now:%Y-%m-%d %H:%M} UTC")
    return coming


def is_open(connection: Connection, digest: Digest, slot: Slot, now: datetime, horizon: datetime | None = None) -> bool:
    """Return whether a slot that has begun may get its edition.

    It may not when it or a later one is out, or may have been in a database that was lost, nor when the next one is
    nearer: except that the very first edition of a digest may be up to a day late, so that who sets it up in the
    evening sees it at once. `horizon` is the latest it can be, where that is known: what a clock that was ahead
    published for slots behind it is out, but keeps no earlier slot from being published.
    """
    if editions.is_out(connection, digest.name, slot.key, slot.at, horizon):
        return False
    restored_at = settings.restored_at(connection)
    if restored_at is not None and slot.at <= restored_at:
        return False
    if now <= open_until(digest.schedule, slot):
        return True
    is_first = editions.is_first(connection, digest.name, horizon)
    return is_first and now - slot.at <= _FIRST_MAY_BE_LATE


def read_well(connection: Connection, digest: Digest) -> bool:
    """Return whether every source of `digest` was read, and read whole, the last time."""
    healths = {row.source: row.health for row in stored_sources.list_health(connection) if not row.category}
    return all(healths.get(name) in {Health.FRESH, Health.NOTHING_ANNOUNCED} for name in digest.sources)
