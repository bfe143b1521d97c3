"""Sightings: one row for a paper, a source and the day it was read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from digestmail.model import AnnounceType, PaperId, Sighting, Signals
from digestmail.storage.inserting import chunks
from digestmail.storage.schema import sightings

_Key = tuple[int, str]


def signals_of(row: Row[Any]) -> Signals:
    """Return the signals of a row of `sightings`."""
    return Signals(
        upvotes=row.upvotes,
        comments=row.comments,
        stars=row.stars,
        announce_type=AnnounceType(row.announce_type) if row.announce_type else None,
    )


def highest(first: Signals, second: Signals) -> Signals:
    """Return the higher of each count; what is known beats what is not."""

    def higher(a: int | None, b: int | None) -> int | None:
        return b if a is None else a if b is None else max(a, b)

    return Signals(
        upvotes=higher(first.upvotes, second.upvotes),
        comments=higher(first.comments, second.comments),
        stars=higher(first.stars, second.stars),
        announce_type=first.announce_type or second.announce_type,
    )


def add_rows(connection: Connection, seen: Sequence[tuple[int, Sighting]], now: datetime) -> frozenset[PaperId]:
    """Store sightings of the papers in these rows; return the ids their source had never shown before.

    A second reading on the same UTC day brings the day's row up to date; on a later day a row is added only if
    something changed, so that growth can be read off and a quiet feed costs nothing.
    """
    latest = _latest(connection, [row_id for row_id, _ in seen])
    today = now.astimezone(UTC).date()
    rows: dict[tuple[int, str], dict[str, Any]] = {}
    unseen = set()
    for row_id, sighting in seen:
        last = latest.get((row_id, sighting.source))
        if last is None:
            unseen.add(sighting.paper.id)
        elif (signals_of(last), last.day) == (sighting.signals, sighting.day):
            continue
        rows[row_id, sighting.source] = _row(row_id, sighting, today, now)
    fresh = [row for key, row in rows.items() if key not in latest or latest[key].seen_on < today]
    if fresh:
        connection.execute(insert(sightings), fresh)
    for key, row in rows.items():
        if key in latest and latest[key].seen_on >= today:
            _replace(connection, row, latest[key].seen_on)
    return frozenset(unseen)


def _latest(connection: Connection, row_ids: Sequence[int]) -> dict[_Key, Row[Any]]:
    found: dict[_Key, Row[Any]] = {}
    for some in chunks(sorted(set(row_ids))):
        statement = select(sightings).where(sightings.c.paper_id.in_(some)).order_by(sightings.c.seen_on)
        found.update({(row.paper_id, row.source): row for row in connection.execute(statement)})
    return found


def _row(row_id: int, sighting: Sighting, today: date, now: datetime) -> dict[str, Any]:
    signals = sighting.signals
    return {
        "paper_id": row_id,
        "source": sighting.source,
        "seen_on": today,
        "day": sighting.day,
        "upvotes": signals.upvotes,
        "comments": signals.comments,
        "stars": signals.stars,
        "announce_type": signals.announce_type,
        "seen_at": now,
    }


def _replace(connection: Connection, row: dict[str, Any], seen_on: date) -> None:
    c = sightings.c
    same = (c.paper_id == row["paper_id"]) & (c.source == row["source"]) & (c.seen_on == seen_on)
    values = {name: row[name] for name in ("day", "upvotes", "comments", "stars", "announce_type")}
    connection.execute(update(sightings).where(same).values(**values))


def repoint(connection: Connection, old: int, new: int) -> None:
    """Give the sightings of the paper in row `old` to the one in row `new`; where both have one, the higher counts."""
    theirs = connection.execute(select(sightings).where(sightings.c.paper_id == old)).all()
    ours = {
        (row.source, row.seen_on): row
        for row in connection.execute(select(sightings).where(sightings.c.paper_id == new))
    }
    connection.execute(delete(sightings).where(sightings.c.paper_id == old))
    for row in theirs:
        twin = ours.get((row.source, row.seen_on))
        if twin is None:
            connection.execute(insert(sightings).values({**row._mapping, "paper_id": new}))  # noqa: SLF001 - SQLAlchemy's public name
            continue
        both = highest(signals_of(twin), signals_of(row))
        values = {"upvotes": both.upvotes, "comments": both.comments, "stars": both.stars}
        same = (sightings.c.paper_id == new) & (sightings.c.source == row.source) & (sightings.c.seen_on == row.seen_on)
        connection.execute(update(sightings).where(same).values(day=max(row.day, twin.day), **values))
