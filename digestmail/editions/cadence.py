"""Variants of a digest, for readers who get it less often or return from a pause, and the audience of each.

A variant is a digest value with its own name, `daily@weekly`: the same sources, topics and rules, but fewer slots and a
longer window. It is composed, published, recorded and reported like any digest. Since it is another digest, papers that
a reader already got by the base digest or another variant are left out, whatever the reader changes and when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from digestmail.editions.missed import due_slots
from digestmail.model.digests import VARIANT_MARK, Cadence, CatchUp, Digest
from digestmail.model.editions import Slot
from digestmail.schedule.cadence import LONGEST_PERIOD
from digestmail.schedule.cron import current_slot
from digestmail.storage import audience, editions
from digestmail.storage.audience import Audience
from digestmail.storage.database import Database

_LONGEST_CATCH_UP = timedelta(days=30)
_INSTANT = timedelta(microseconds=1)
_BOTH = 2


def with_cadence(digest: Digest, cadence: Cadence) -> Digest:
    """Return the variant of a configured digest for readers with `cadence`."""
    return _widened(
        replace(
            digest,
            name=f"{digest.name}{VARIANT_MARK}{cadence}",
            schedule=replace(digest.schedule, every=cadence),
        ),
        LONGEST_PERIOD[cadence],
        periods=LONGEST_PERIOD[cadence],
    )


def catching_up(digest: Digest, slot: Slot, absence: CatchUp, since: date) -> Digest:
    """Return the variant of a digest or variant, in `slot`, for readers whose pause began on the local day `since`.

    Its name contains both days, because readers whose pauses began on the same day may return on different days. Its
    window begins with the last slot before that day, as that of the first edition that they missed.
    """
    variant = "-".join(filter(None, (digest.schedule.every, f"{since}--{slot.key}")))
    named = replace(digest, name=f"{digest.base}{VARIANT_MARK}{variant}", catch_up=replace(absence, since=since))
    midnight = datetime.combine(since, time(), ZoneInfo(digest.schedule.timezone))
    before = current_slot(digest.schedule, midnight - _INSTANT)
    days = (slot.day - (before.day if before else since)).days
    every = digest.schedule.every
    return _widened(named, days, periods=days / LONGEST_PERIOD[every] if every else days)


def _widened(digest: Digest, days: int, *, periods: float) -> Digest:
    """Return `digest` with a window of at least `days`. Scores fall more slowly if it spans several `periods`."""
    half_life_days = digest.weights.half_life_days * max(periods, 1)
    return replace(
        digest,
        window_days=max(digest.window_days, days),
        weights=replace(digest.weights, half_life_days=half_life_days),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An edition to publish if it is due: a digest or variant, and its slot. None means that no slot has begun."""

    digest: Digest
    slot: Slot | None


def variants(
    begin: Callable[[], AbstractContextManager[Connection]], digest: Digest, now: datetime, horizon: datetime
) -> Iterator[Issue]:
    """Yield the due slots of a configured digest, then those of its variants that have readers.

    Catch-up editions come after the edition that they replace, which decides who gets one. So this must be iterated
    while what it yields is published. Those that should have come with the edition before, and did not, come first.
    `horizon` is the latest possible time.
    """
    tried: set[str] = set()

    def not_tried(connection: Connection, one: Digest, up_to: datetime) -> list[Issue]:
        found = [issue for issue in _catch_ups(connection, one, up_to, horizon) if issue.digest.name not in tried]
        tried.update(issue.digest.name for issue in found)
        return found

    with begin() as connection:
        chosen = in_use(connection, digest, now, horizon)
    for one in (digest, *chosen):
        with begin() as connection:
            slots = due_slots(connection, one, now, horizon)
            left_behind = not_tried(connection, one, slots[0].at - _INSTANT) if slots else []
        yield from left_behind
        if not slots:
            yield Issue(digest=one, slot=None)
        for slot in slots:
            yield Issue(digest=one, slot=slot)
            with begin() as connection:
                returns = not_tried(connection, one, slot.at)
            yield from returns


def in_use(connection: Connection, digest: Digest, now: datetime, horizon: datetime) -> tuple[Digest, ...]:
    """Return the variants of `digest` whose cadence an active reader chose before the current slot began."""
    found = []
    for cadence in Cadence:
        variant = with_cadence(digest, cadence)
        slot = current_slot(variant.schedule, now)
        if slot is not None and audience.is_wanted(connection, plain_audience(variant, slot), horizon):
            found.append(variant)
    return tuple(found)


def chosen(database: Database, digest: Digest, now: datetime) -> tuple[Digest, ...]:
    """Return the variants of `digest` whose cadence an active reader chose, even if none of their slots has begun."""
    with database.connect() as connection:
        return tuple(
            with_cadence(digest, cadence)
            for cadence in Cadence
            if audience.is_wanted(connection, Audience(digest=digest.name, cadence=cadence), now)
        )


def plain_audience(digest: Digest, slot: Slot) -> Audience:
    """Return the readers of an edition, including those who return from a pause."""
    return Audience(digest=digest.base, cadence=digest.schedule.every, slot_at=slot.at)


def audience_of(connection: Connection, digest: Digest, slot: Slot, composed_at: datetime) -> Audience:
    """Return whom the edition of `digest` for `slot` is for. `composed_at` is when it was composed."""
    absence = digest.catch_up
    if absence is not None:
        return replace(plain_audience(digest, slot), catch_up=absence)
    return replace(plain_audience(digest, slot), returning=_absence(connection, digest, slot, composed_at))


def _absence(connection: Connection, digest: Digest, slot: Slot, until: datetime) -> CatchUp | None:
    """Return the pauses that ended between the last edition of `digest` before `slot` and `until`."""
    last = editions.latest(connection, digest.name, before=slot.at)
    return None if last is None else CatchUp(missed_at=last.edition.composed_at, until=until)


def _catch_ups(connection: Connection, digest: Digest, up_to: datetime, horizon: datetime) -> tuple[Issue, ...]:
    """Return the catch-up editions that belong to the last edition of a slot up to the one at `up_to`.

    They are for readers whose pause ended before it, and are due until they are published. Readers share an edition if
    their pauses began on the same local day, or more than 30 days ago.
    """
    last = editions.last_slots(connection, digest.name, up_to, 2)
    if len(last) < _BOTH:
        return ()
    (slot, composed_at), (_, missed_at) = last
    absence = CatchUp(missed_at=missed_at, until=composed_at)
    zone = ZoneInfo(digest.schedule.timezone)
    earliest = slot.day - _LONGEST_CATCH_UP
    returning = replace(plain_audience(digest, slot), catch_up=absence)
    began = {moment.astimezone(zone).date() for moment in audience.pauses(connection, returning, horizon)}
    found = []
    for since in sorted({max(day, earliest) for day in began}):
        first = None if since == earliest else datetime.combine(since, time(), zone)
        last_day = datetime.combine(since + timedelta(days=1), time(), zone)
        variant = catching_up(digest, slot, replace(absence, first=first, last=last_day), since)
        if editions.outcome(connection, variant.name, slot.key) is None:
            found.append(Issue(digest=variant, slot=slot))
    return tuple(found)
