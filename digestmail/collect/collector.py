"""Reads every source and stores the results."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection

from digestmail.collect import health, parking
from digestmail.collect.lanes import lanes_of, run_lanes
from digestmail.collect.parking import Absence
from digestmail.errors import DigestmailError, SourceError
from digestmail.model.papers import Health, Reading, SourceHealth
from digestmail.model.reports import WELL, CollectReport, Progress, SourceReport, no_progress
from digestmail.sources.base import Source
from digestmail.sources.parsed import single_line
from digestmail.storage import history, papers
from digestmail.storage import sources as stored_sources
from digestmail.storage.database import Database
from digestmail.storage.merging import Added
from digestmail.storage.upsert import chunks

log = logging.getLogger("digestmail.collect")

PAPERS_AT_ONCE = 200
"""Papers that are stored in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFailure:
    """The error of a source that could not be read."""

    source: str
    health: Health
    detail: str
    absence: Absence | None = None
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceResting:
    """A parked source that was not read, because it is not yet time."""

    source: str


Result = Reading | SourceFailure | SourceResting


def collect(
    database: Database,
    sources: Sequence[Source],
    now: datetime,
    *,
    addresses: Mapping[str, str] = MappingProxyType({}),
    horizon: datetime | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Progress = no_progress,
) -> CollectReport:
    """Read every source and store the results. An error of one, in reading or storing, does not stop the others.

    `addresses` are the addresses of the sources by name: sources at different hosts are read at the same time.
    `horizon` is the latest possible time, if known; later times were written with a wrong clock. `stop` is checked
    between sources, and `progress` is called after each.
    """
    reports: list[SourceReport] = []
    progress("collect", 0, len(sources))
    for result in read_all(database, sources, now, addresses=addresses, horizon=horizon, stop=stop):
        reports.append(_store_in_parts(database, result, now, horizon))
        progress("collect", len(reports), len(sources))
    return CollectReport(sources=tuple(_in_order(reports, sources)))


def _in_order(reports: Iterable[SourceReport], sources: Iterable[Source]) -> list[SourceReport]:
    places = {source.name: place for place, source in enumerate(sources)}
    return sorted(reports, key=lambda report: places[report.source])


def read_all(
    database: Database,
    sources: Sequence[Source],
    now: datetime,
    *,
    addresses: Mapping[str, str] = MappingProxyType({}),
    horizon: datetime | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Result]:
    """Read the sources, those at one host one after another. An error of one becomes a value and stops no other."""

    def read(source: Source) -> Result:
        address = addresses.get(source.name, "")
        with database.connect() as connection:
            state = stored_sources.read_state(connection, source.name, horizon)
            rows = stored_sources.list_health(connection, source=source.name)
        whole = next((row for row in rows if not row.category), None)
        if parking.is_resting(whole, address, now):
            return SourceResting(source=source.name)
        return _read(source, address, now, state.complete_at if state else None)

    return run_lanes(lanes_of(sources, addresses), read, stop)


def _read(source: Source, address: str, now: datetime, since: datetime | None) -> Reading | SourceFailure:
    try:
        return source.read(now, since)
    except SourceError as error:
        return SourceFailure(
            source=source.name,
            health=health.of_error(error),
            detail=str(error),
            absence=parking.absence_of(error),
            address=address,
        )
    except DigestmailError:
        raise  # our own problem, such as the database, is not the source's
    except Exception as error:
        # A parser's bug with one source must not affect the others. It is logged with its traceback.
        log.exception("source=%s could not be read", source.name)
        detail = f"unexpected {type(error).__name__}: {error}"
        return SourceFailure(source=source.name, health=Health.UNREADABLE, detail=detail)


def store_all(
    connection: Connection, results: Iterable[Result], now: datetime, horizon: datetime | None = None
) -> CollectReport:
    """Store all results in the caller's transaction, which will be rolled back."""
    return CollectReport(sources=tuple(store(connection, result, now, horizon) for result in results))


def _store_in_parts(database: Database, result: Result, now: datetime, horizon: datetime | None) -> SourceReport:
    """Store the result of one source in short transactions, so that no other writer waits for long.

    Validators and health are stored with the last papers: if the process stops before, the next run reads the source
    again, and adds what is missing. An error becomes the health of the source. Raises StorageError if not even that can
    be stored.
    """
    try:
        added = Added()
        if isinstance(result, Reading):
            parts = list(chunks(result.sightings, PAPERS_AT_ONCE))
            for part in parts[:-1]:
                with database.begin() as connection:
                    added += papers.add_sightings(connection, part, now, horizon)
            rest = parts[-1] if parts else ()
            with database.begin() as connection:
                added += papers.add_sightings(connection, rest, now, horizon)
                return _finish(connection, result, added, now, horizon)
    except Exception as error:
        log.exception("source=%s could not be stored", result.source)
        detail = f"could not be stored: {single_line(str(error))[:500] or type(error).__name__}"
        result = SourceFailure(source=result.source, health=Health.UNREADABLE, detail=detail)
    with database.begin() as connection:
        return store(connection, result, now, horizon)


def store(connection: Connection, result: Result, now: datetime, horizon: datetime | None = None) -> SourceReport:
    """Store the result of one source: papers, sightings, validators and health in one transaction."""
    previous = {row.category: row for row in stored_sources.list_health(connection, source=result.source)}
    if isinstance(result, SourceResting):
        return SourceReport(source=result.source, health=tuple(previous.values()), known=True)
    if isinstance(result, SourceFailure):
        failures = health.failed(result.source, result.health, result.detail, previous, now)
        rows, news = _followed(connection, failures, previous, now, result)
        history.count_reading(connection, result.source, now, failed=True, new_papers=0)
        return SourceReport(source=result.source, health=rows, known=not news)
    return _finish(connection, result, papers.add_sightings(connection, result.sightings, now, horizon), now, horizon)


def _finish(
    connection: Connection, result: Reading, added: Added, now: datetime, horizon: datetime | None
) -> SourceReport:
    """Store the validators and the health of a source whose papers were `added`."""
    previous = {row.category: row for row in stored_sources.list_health(connection, source=result.source)}
    judged = health.judge(result, added.unseen, previous, now)
    stored_sources.record_reading(connection, result, now, complete=result.partial is None, horizon=horizon)
    rows, news = _followed(connection, judged, previous, now)
    failed = rows[0].health not in WELL
    history.count_reading(connection, result.source, now, failed=failed, new_papers=added.new)
    return SourceReport(
        source=result.source,
        health=rows,
        entries=result.entries,
        new=added.new,
        updated=added.updated,
        skipped=dict(Counter(skip.reason for skip in result.skipped)),
        known=not news,
    )


def _followed(
    connection: Connection,
    rows: tuple[SourceHealth, ...],
    previous: Mapping[str, SourceHealth],
    now: datetime,
    failure: SourceFailure | None = None,
) -> tuple[tuple[SourceHealth, ...], bool]:
    """Store the health of a source, and return it and whether it is news."""
    whole, *categories = rows
    whole, news = parking.follow(
        whole,
        previous.get(""),
        now,
        absence=failure.absence if failure else None,
        address=failure.address if failure else "",
        others_are_read=stored_sources.was_another_read(connection, whole.source, now - parking.OTHERS_READ_WITHIN),
    )
    stored_sources.put_health(connection, (whole, *categories))
    return (whole, *categories), news


def list_health(database: Database) -> tuple[SourceHealth, ...]:
    """Return the health of each source that was ever read."""
    with database.connect() as connection:
        return tuple(stored_sources.list_health(connection))


def end_parking(database: Database, source: str) -> bool:
    """Let the next run read a parked source. Returns whether it was parked."""
    with database.begin() as connection:
        return stored_sources.end_parking(connection, source)
