"""The gate: whether an edition waits for papers of its sources. Pure.

A source has its batch when a reading brought papers that it had not shown before. The dates in its documents do not
count, because a late feed may have today's date and yesterday's papers. A table of several feeds or repositories counts
as one source: it has its batch when one of them has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digestmail.model.digests import Arrival, Schedule, Wait
from digestmail.model.editions import Slot
from digestmail.model.papers import Health, SourceHealth
from digestmail.model.reports import WELL
from digestmail.schedule.arxiv_calendar import feed_day, surely_silent
from digestmail.schedule.cron import current_slot, open_until
from digestmail.schedule.moments import is_ahead

LOOK_AGAIN = timedelta(minutes=10)
"""How often sources are read while an edition waits."""
_EARLIEST = timedelta(hours=12)
"""How long before its slot a batch may come."""
_TIME_TO_PUBLISH = timedelta(hours=2)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A source without the batch of a slot, and why we think so."""

    source: str
    why: str

    def __str__(self) -> str:
        """Return both as a part of a sentence."""
        return f"{self.source} ({self.why})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What an edition waits for, and until when."""

    until: datetime
    """The edition does not wait any longer. It is before the slot is closed."""
    missing: tuple[Missing, ...] = ()
    silent: tuple[Missing, ...] = ()
    """Sources that have no papers today, and so are not waited for."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the missing sources."""
        return tuple(one.source for one in self.missing)

    def is_closed(self, now: datetime) -> bool:
        """Return whether the edition waits at `now`."""
        return bool(self.missing) and now < self.until


def judge_gate(
    wait: Wait, schedule: Schedule, slot: Slot, health: Mapping[str, Sequence[Sequence[SourceHealth]]], now: datetime
) -> Gate:
    """Return what the edition of `slot` waits for at `now`.

    `health` are the last readings by the name of what is waited for, one sequence for each feed or repository of a
    table, and one for any other source: that of the entire source, and those of its categories. Readings dated after
    `now` were stored with a clock that was ahead, and do not count.
    """
    until = min(slot.at + timedelta(hours=wait.hours), _latest(schedule, slot))
    begins = batch_start(schedule, slot)
    missing, silent = [], []
    for source, arrival in wait.sources:
        members = [[row for row in rows if not is_ahead(row.read_at, now)] for rows in health.get(source, ())] or [[]]
        reasons = [_why_silent(arrival, slot, rows) for rows in members]
        if all(reasons):
            silent.append(Missing(source=source, why=reasons[0]))
            continue
        awake = [rows for rows, reason in zip(members, reasons, strict=True) if not reason]
        whys = ["; ".join(_why_missing(arrival, slot, begins, rows, now)) for rows in awake]
        if all(whys):
            missing.append(Missing(source=source, why=whys[0] if len(members) == 1 else _why_none(awake)))
    return Gate(until=until, missing=tuple(missing), silent=tuple(silent))


def _latest(schedule: Schedule, slot: Slot) -> datetime:
    """Return when no edition of `slot` waits any longer: while an hourly run still comes before the slot is closed."""
    closes = open_until(schedule, slot)
    return closes - min(_TIME_TO_PUBLISH, (closes - slot.at) / 2)


def batch_start(schedule: Schedule, slot: Slot) -> datetime:
    """Return from when on papers belong to `slot`: half-way from the slot before, and at most twelve hours before.

    Papers that came earlier belonged to the slot before, which was open until half-way.
    """
    before = current_slot(schedule, slot.at - _INSTANT)
    return slot.at - (_EARLIEST if before is None else min((slot.at - before.at) / 2, _EARLIEST))


def _why_silent(arrival: Arrival, slot: Slot, rows: Sequence[SourceHealth]) -> str:
    """Return why a source has no papers for `slot`, or an empty string."""
    if any(row.health is Health.PARKED for row in rows):
        return "parked"
    if arrival is not Arrival.ARXIV:
        return ""
    day = feed_day(slot.at)
    why = surely_silent(day)
    return f"arXiv announced nothing on {day}: {why}" if why else ""


def _why_missing(
    arrival: Arrival, slot: Slot, begins: datetime, rows: Sequence[SourceHealth], now: datetime
) -> Iterator[str]:
    """Yield why a source does not have its batch; nothing if it has."""
    own = next((row for row in rows if not row.category), None)
    if own is None:
        yield "not read yet"
        return
    if not _came(own.fresh_at, arrival, slot, begins, now):
        yield f"{own.health}: {own.detail}"
        return
    if arrival is Arrival.GRADUAL and own.fresh_at is not None and own.fresh_at >= own.read_at:
        yield f"still fills up: {own.detail}"
    for row in rows:
        # A category may show yesterday's papers under today's date while the others are up to date.
        if row.category and row.health is Health.STALE and not _came(row.fresh_at, arrival, slot, begins, now):
            yield f"{row.category} {row.health}: {row.detail}"


def _why_none(members: Sequence[Sequence[SourceHealth]]) -> str:
    """Return why a table does not have its batch, of which these feeds or repositories are read."""
    failed = sum(row.health not in WELL for rows in members for row in rows if not row.category)
    why = f"nothing new in any of the {len(members)} in this table"
    return f"{why}, and {failed} could not be read" if failed else why


def _came(fresh_at: datetime | None, arrival: Arrival, slot: Slot, begins: datetime, now: datetime) -> bool:
    """Return whether the last new papers belong to `slot`."""
    if fresh_at is None or is_ahead(fresh_at, now):
        return False
    if arrival is Arrival.ARXIV:
        return feed_day(fresh_at) >= feed_day(slot.at)
    return fresh_at >= begins
