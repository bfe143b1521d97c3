"""Reads every source and stores the results."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from digestmail.collect import health
from digestmail.errors import DigestmailError, SourceError
from digestmail.model.papers import Health, Reading, SourceHealth
from digestmail.model.reports import CollectReport, SourceReport
from digestmail.sources.base import Source
from digestmail.storage import papers
from digestmail.storage import sources as stored_sources
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.collect")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFailure:
    """The error of a source that could not be read."""

    source: str
    health: Health
    detail: str


def collect(
    database: Database,
    sources: Sequence[Source],
    now: datetime,
    *,
    horizon: datetime | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[int], None] = lambda _: None,
) -> CollectReport:
    """Read every source and store the results, each in its own transaction.

    `horizon` is the latest possible time, if known; later times were written with a wrong clock. `stop` is checked
    between sources; `progress` is called with the number of finished ones.
    """
    reports: list[SourceReport] = []
    progress(0)
    for result in read_all(database, sources, now, horizon=horizon, stop=stop):
        with database.begin() as connection:
            reports.append(store(connection, result, now, horizon))
        progress(len(reports))
    return CollectReport(sources=tuple(reports))


def read_all(
    database: Database,
    sources: Iterable[Source],
    now: datetime,
    *,
    horizon: datetime | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Reading | SourceFailure]:
    """Read the sources one after another. An error of one source becomes a value and does not stop the others."""
    for source in sources:
        if stop():
            return
        with database.connect() as connection:
            state = stored_sources.read_state(connection, source.name, horizon)
        yield _read(source, now, state.complete_at if state else None)


def _read(source: Source, now: datetime, since: datetime | None) -> Reading | SourceFailure:
    try:
        return source.read(now, since)
    except SourceError as error:
        return SourceFailure(source=source.name, health=health.of_error(error), detail=str(error))
    except DigestmailError:
        raise  # our own problem, such as the database, is not the source's
    except Exception as error:
        # A parser's bug with one source must not affect the others. It is logged with its traceback.
        log.exception("source=%s could not be read", source.name)
        detail = f"unexpected {type(error).__name__}: {error}"
        return SourceFailure(source=source.name, health=Health.UNREADABLE, detail=detail)


def store_all(
    connection: Connection, results: Iterable[Reading | SourceFailure], now: datetime, horizon: datetime | None = None
) -> CollectReport:
    """Store all results in the caller's transaction, which will be rolled back."""
    return CollectReport(sources=tuple(store(connection, result, now, horizon) for result in results))


def store(
    connection: Connection, result: Reading | SourceFailure, now: datetime, horizon: datetime | None = None
) -> SourceReport:
    """Store the result of one source: papers, sightings, validators and health in one transaction."""
    previous = {row.category: row for row in stored_sources.list_health(connection, source=result.source)}
    if isinstance(result, SourceFailure):
        failures = health.failed(result.source, result.health, result.detail, previous, now)
        stored_sources.put_health(connection, failures)
        return SourceReport(source=result.source, health=failures)
    added = papers.add_sightings(connection, result.sightings, now, horizon)
    rows: tuple[SourceHealth, ...] = health.judge(result, added.unseen, previous, now)
    stored_sources.record_reading(connection, result, now, complete=result.partial is None, horizon=horizon)
    stored_sources.put_health(connection, rows)
    return SourceReport(
        source=result.source,
        health=rows,
        entries=result.entries,
        new=added.new,
        updated=added.updated,
        skipped=dict(Counter(skip.reason for skip in result.skipped)),
    )


def list_health(database: Database) -> tuple[SourceHealth, ...]:
    """Return the health of each source that was ever read."""
    with database.connect() as connection:
        return tuple(stored_sources.list_health(connection))
