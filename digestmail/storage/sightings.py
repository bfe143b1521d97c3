"""Sightings: one row for each paper, source and day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from digestmail.model.papers import AnnounceType, PaperId, Sighting, Signals
from digestmail.papers.identity import highest
from digestmail.schedule.moments import DATED_AHEAD, is_ahead
from digestmail.storage.schema import papers, sightings
from digestmail.storage.upsert import chunks

_Key = tuple[int, str]


def signals_of(row: Row[Any]) -> Signals:
    """Return the signals of a row of `sightings`."""
    return Signals(
        upvotes=row.upvotes,
        comments=row.comments,
        stars=row.stars,
        announce_type=AnnounceType(row.announce_type) if row.announce_type else None,
    )


def first_seen_by(connection: Connection) -> dict[str, datetime]:
    """Return when each source first showed a paper."""
    statement = select(sightings.c.source, func.min(sightings.c.seen_at).label("first")).group_by(sightings.c.source)
    return {row.source: row.first for row in connection.execute(statement)}


def add_rows(
    connection: Connection, seen: Sequence[tuple[int, Sighting]], now: datetime, horizon: datetime | None = None
) -> frozenset[PaperId]:
    """Store sightings of the papers in these rows; return the ids that their source had never shown before.

    A second reading on the same UTC day updates the row of the day. On a later day, a row is only added if the signals
    changed, so that growth can be computed and a quiet feed needs no space. A row keeps the time of the day's first
    reading, because the time at which a paper was first seen must not change, unless it was written with a wrong clock.
    Then the paper counts as first seen at `now`. `horizon` is the latest possible time, if known.
    """
    folded = _soft_wrap(seen)
    latest = _latest(connection, [row_id for row_id, _ in seen])
    if horizon is not None:
        _correct_first_seen(connection, folded, latest, now, horizon)
    today = now.astimezone(UTC).date()
    fresh: list[dict[str, Any]] = []
    replaced: list[dict[str, Any]] = []
    for (row_id, source), (signals, day) in folded.items():
        last = latest.get((row_id, source))
        if last is not None:
            signals = _complete(signals, signals_of(last))  # noqa: PLW2901 - the same signals, completed
            if signals == signals_of(last):
                continue
        seen_on = today if last is None else max(today, last.seen_on)
        row = _row(row_id, source, signals, day) | {"seen_on": seen_on, "seen_at": now}
        (replaced if last is not None and last.seen_on == seen_on else fresh).append(row)
    if fresh:
        connection.execute(insert(sightings), fresh)
    if replaced:
        _replace(connection, replaced)
    return frozenset(sighting.paper.id for row_id, sighting in seen if (row_id, sighting.source) not in latest)


def _correct_first_seen(
    connection: Connection,
    seen: dict[_Key, tuple[Signals, date]],
    latest: dict[_Key, Row[Any]],
    now: datetime,
    horizon: datetime,
) -> None:
    """Correct the times at which papers were first seen, if a wrong clock wrote them.

    Papers that their source dates in the future are left alone, because this clock may be behind.
    """
    today = horizon.astimezone(UTC).date()
    for (row_id, source), row in latest.items():
        _, day = seen.get((row_id, source), (None, date.max))
        if day > today + DATED_AHEAD or not misdated(row.seen_at, row.seen_on, row.day, horizon):
            continue
        this = (sightings.c.paper_id == row_id) & (sightings.c.source == source)
        wrong = (sightings.c.seen_at > now) | (sightings.c.seen_at <= row.seen_at)
        connection.execute(update(sightings).where(this, wrong).values(seen_at=now, day=day))
        ahead = (papers.c.id == row_id) & (papers.c.first_seen_at > now)
        connection.execute(update(papers).where(ahead).values(first_seen_at=now))


def misdated(seen_at: datetime, seen_on: date, day: date, horizon: datetime) -> bool:
    """Return whether a sighting cannot be from `seen_at`, because it is in the future or before its source's date."""
    return is_ahead(seen_at, horizon) or (seen_at <= horizon and day > max(seen_on, seen_at.date()) + DATED_AHEAD)


def _soft_wrap(seen: Sequence[tuple[int, Sighting]]) -> dict[_Key, tuple[Signals, date]]:
    """Return each source's counts for each paper. Of two mentions in a reading, the higher counts are used."""
    found: dict[_Key, tuple[Signals, date]] = {}
    for row_id, sighting in seen:
        key = (row_id, sighting.source)
        signals, day = found.get(key, (sighting.signals, sighting.day))
        found[key] = (highest(signals, sighting.signals), max(day, sighting.day))
    return found


def _complete(signals: Signals, last: Signals) -> Signals:
    """Return `signals`, with unknown counts replaced by the previous ones."""
    return Signals(
        upvotes=last.upvotes if signals.upvotes is None else signals.upvotes,
        comments=last.comments if signals.comments is None else signals.comments,
        stars=last.stars if signals.stars is None else signals.stars,
        announce_type=signals.announce_type or last.announce_type,
    )


def _latest(connection: Connection, row_ids: Sequence[int]) -> dict[_Key, Row[Any]]:
    found: dict[_Key, Row[Any]] = {}
    for some in chunks(sorted(set(row_ids))):
        statement = select(sightings).where(sightings.c.paper_id.in_(some)).order_by(sightings.c.seen_on)
        found.update({(row.paper_id, row.source): row for row in connection.execute(statement)})
    return found


def _row(row_id: int, source: str, signals: Signals, day: date) -> dict[str, Any]:
    return {
        "paper_id": row_id,
        "source": source,
        "day": day,
        "upvotes": signals.upvotes,
        "comments": signals.comments,
        "stars": signals.stars,
        "announce_type": signals.announce_type,
    }


def _replace(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    keys = ("paper_id", "source", "seen_on")
    statement = update(sightings).where(*(sightings.c[key] == bindparam(f"of_{key}") for key in keys))
    values = ("day", "upvotes", "comments", "stars", "announce_type")
    connection.execute(
        statement,
        [{f"of_{key}": row[key] for key in keys} | {name: row[name] for name in values} for row in rows],
    )


def repoint(connection: Connection, old: int, new: int) -> None:
    """Move the sightings of the paper in row `old` to row `new`. If both have one, the higher counts are kept."""
    theirs = connection.execute(select(sightings).where(sightings.c.paper_id == old)).all()
    ours = {
        (row.source, row.seen_on): row
        for row in connection.execute(select(sightings).where(sightings.c.paper_id == new))
    }
    connection.execute(delete(sightings).where(sightings.c.paper_id == old))
    for row in theirs:
        twin = ours.get((row.source, row.seen_on))
        if twin is None:
            connection.execute(insert(sightings).values({**row._mapping, "paper_id": new}))  # noqa: SLF001 - public API of SQLAlchemy
            continue
        both = highest(signals_of(twin), signals_of(row))
        values = _row(new, row.source, both, max(row.day, twin.day)) | {"seen_at": min(row.seen_at, twin.seen_at)}
        same = (sightings.c.paper_id == new) & (sightings.c.source == row.source) & (sightings.c.seen_on == row.seen_on)
        connection.execute(update(sightings).where(same).values(**values))
