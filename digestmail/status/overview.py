"""Everything that the operator wants to see at once: `digestmail status`, and the operator's page."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from digestmail import __version__
from digestmail.config.sources import AnySource
from digestmail.model.history import DomainFigures, EditionAccount, RunOutcome, RunRecord, SourceDay
from digestmail.model.papers import SourceHealth
from digestmail.status.check import CheckReport, check
from digestmail.storage import history
from digestmail.storage.maintenance import size
from digestmail.storage.statistics import people

if TYPE_CHECKING:
    from digestmail.app import App

DAYS: Final = 14
_RUNS: Final = 50
_EDITIONS: Final = 5
_DOMAINS: Final = 10
_GROWTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """A configured source, and how its readings went on the last days."""

    name: str
    known_as: str
    """What a person knows it by, if its name does not say it."""
    health: SourceHealth | None
    """None if it was never read."""
    days: tuple[SourceDay | None, ...]
    """The last `DAYS` days in UTC, oldest first; None for a day without a reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How the installation is doing. `check.problems` is empty when no one needs to do anything."""

    version: str
    at: datetime
    check: CheckReport
    runs: tuple[RunRecord, ...]
    """The last runs, the latest first."""
    run_at: datetime | None
    """When the last run ended."""
    good_run_at: datetime | None
    """When the last run without trouble ended."""
    sources: tuple[SourceLine, ...]
    editions: tuple[EditionAccount, ...]
    """The last editions, the latest first."""
    domains: tuple[DomainFigures, ...]
    """The recipient domains with the most deliveries of the last `DAYS` days."""
    subscribers: Mapping[str, int]
    """By state."""
    suppressions: Mapping[str, int]
    """By reason."""
    database_bytes: int
    growth: float | None
    """By how many bytes the database grew in a day, on average over the last 30 days; None if it is not known yet."""
    free_bytes: int | None
    """The free space on the disk of a SQLite database."""


def status(app: App, *, editions: int = _EDITIONS) -> Status:
    """Look at everything that can be looked at quickly. Deliveries are counted only for the last `editions`."""
    now = app.clock.now()
    found = check(app, connect=False, thorough=False)
    since = now - timedelta(days=DAYS - 1)
    with app.database.connect() as connection:
        first = history.first_measured(connection, now - _GROWTH)
        read = history.days_of_sources(connection, since.date())
        runs = history.last_runs(connection, _RUNS)
        run_at, good_run_at = history.last_end(connection), history.last_end(connection, RunOutcome.WELL)
        accounts = history.accounts(connection, editions)
        domains = history.domains(connection, since, _DOMAINS)
        subscribers, suppressions = people(connection)
    database_bytes = size(app.database)
    return Status(
        version=__version__,
        at=now,
        check=found,
        runs=runs,
        run_at=run_at,
        good_run_at=good_run_at,
        sources=tuple(_source_lines(app.config.sources, found.health, read, now.date())),
        editions=accounts,
        domains=domains,
        subscribers=subscribers,
        suppressions=suppressions,
        database_bytes=database_bytes,
        growth=growth_of(first, database_bytes, now),
        free_bytes=_free(app),
    )


def _source_lines(
    tables: Sequence[AnySource], health: Sequence[SourceHealth], days: Sequence[SourceDay], today: date
) -> Iterator[SourceLine]:
    rows = {row.source: row for row in health if not row.category}
    read: defaultdict[str, dict[date, SourceDay]] = defaultdict(dict)
    for one in days:
        read[one.source][one.day] = one
    wanted = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    for table in tables:
        days_read = tuple(read[table.name].get(day) for day in wanted)
        yield SourceLine(name=table.name, known_as=table.known_as, health=rows.get(table.name), days=days_read)


def growth_of(first: RunRecord | None, size: int, now: datetime) -> float | None:
    """Return by how many bytes a day the database grew since `first`, a run at least a day ago."""
    if first is None or first.database_bytes is None or first.ended_at is None:
        return None
    days = (now - first.ended_at) / timedelta(days=1)
    return (size - first.database_bytes) / days if days >= 1 else None


def _free(app: App) -> int | None:
    files = app.database.files()
    return shutil.disk_usage(files[0].parent).free if files else None
