"""Stored data about sources: when they were read, their health, and their validators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, select, update

from digestmail.model.papers import Health, Reading, SourceHealth, Validators
from digestmail.schedule.moments import is_ahead, is_recent
from digestmail.storage.schema import source_health, sources, validators
from digestmail.storage.upsert import insert

_VALIDATORS_KEPT = timedelta(days=60)
_BELIEVED = timedelta(days=7)
"""How long "304 Not Modified" is trusted, because a broken cache may return it forever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """When a source was last read, and when it was last read completely."""

    read_at: datetime
    complete_at: datetime | None


def read_state(connection: Connection, name: str, horizon: datetime | None = None) -> SourceState | None:
    """Return the stored data of the source `name`; None if it was never read.

    A reading after `horizon`, the latest possible time if known, was stored with a clock that was ahead, and is
    ignored.
    """
    row = connection.execute(select(sources).where(sources.c.name == name)).first()
    if row is None or is_ahead(row.read_at, horizon):
        return None
    known = row.complete_at is not None and not is_ahead(row.complete_at, horizon)
    return SourceState(read_at=row.read_at, complete_at=row.complete_at if known else None)


def record_reading(
    connection: Connection, reading: Reading, now: datetime, *, complete: bool, horizon: datetime | None = None
) -> None:
    """Store that a source was read, with the validators of its documents. A back-fill never sets times back.

    `horizon` is the latest possible time, if known.
    """
    before = read_state(connection, reading.source, horizon)
    moments = [now] if before is None else [now, before.read_at]
    wholes = [moment for moment in (before.complete_at if before else None, now if complete else None) if moment]
    values = {"read_at": max(moments), "complete_at": max(wholes, default=None)}
    statement = insert(connection, sources).values(name=reading.source, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
    for url, given in reading.validators.items():
        kept = {
            "etag": given.etag,
            "last_modified": given.last_modified,
            "version": given.version,
            "stored_at": now,
        }
        if not given.unchanged:
            kept["received_at"] = now
        statement = insert(connection, validators).values(source=reading.source, url=url, **{"received_at": now} | kept)
        connection.execute(statement.on_conflict_do_update(index_elements=["source", "url"], set_=kept))
    connection.execute(delete(validators).where(validators.c.stored_at < now - _VALIDATORS_KEPT))


def find_validators(connection: Connection, source: str, url: str, now: datetime) -> Validators:
    """Return the validators of `source` for `url`; empty if there are none.

    Each source has its own validators, because two sources may read the same URL at different times. A document that
    was last received a week ago, or with a clock that was ahead, is requested without them.
    """
    row = connection.execute(select(validators).where(validators.c.source == source, validators.c.url == url)).first()
    if row is None or is_ahead(row.stored_at, now) or not is_recent(row.received_at, now, _BELIEVED):
        return Validators()
    return Validators(etag=row.etag, last_modified=row.last_modified, version=row.version)


def put_health(connection: Connection, rows: Sequence[SourceHealth]) -> None:
    """Store the health of a source and its categories. Categories that are no longer requested are deleted."""
    for source in {row.source for row in rows}:
        kept = [row.category for row in rows if row.source == source]
        gone = (source_health.c.source == source) & source_health.c.category.not_in(kept)
        connection.execute(delete(source_health).where(gone))
    for row in rows:
        values = {
            "health": row.health,
            "detail": row.detail,
            "read_at": row.read_at,
            "fresh_at": row.fresh_at,
            "absent_since": row.absent_since,
            "reported_at": row.reported_at,
            "parked_address": row.parked_address,
        }
        statement = insert(connection, source_health).values(source=row.source, category=row.category, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["source", "category"], set_=values))


def list_health(connection: Connection, source: str | None = None) -> tuple[SourceHealth, ...]:
    """Return the health of all sources, or of one. A source's own row (category "") comes before its categories."""
    statement = select(source_health).order_by(source_health.c.source, source_health.c.category)
    if source is not None:
        statement = statement.where(source_health.c.source == source)
    return tuple(
        SourceHealth(
            source=row.source,
            category=row.category,
            health=Health(row.health),
            detail=row.detail,
            read_at=row.read_at,
            fresh_at=row.fresh_at,
            absent_since=row.absent_since,
            reported_at=row.reported_at,
            parked_address=row.parked_address,
        )
        for row in connection.execute(statement)
    )


def was_another_read(connection: Connection, name: str, since: datetime) -> bool:
    """Return whether a source other than `name` was read after `since`."""
    others = exists().where((sources.c.name != name) & (sources.c.read_at > since))
    return bool(connection.execute(select(others)).scalar())


def end_parking(connection: Connection, name: str) -> bool:
    """Let the next run read a parked source. Returns whether it was parked."""
    this = (source_health.c.source == name) & (source_health.c.health == Health.PARKED)
    return connection.execute(update(source_health).where(this).values(parked_address=None)).rowcount > 0
