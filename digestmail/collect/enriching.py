"""Asks indexes of the literature about recent papers, each about once a week."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from digestmail.errors import SourceError, SourceKnowsNothingError
from digestmail.model.literature import INDEX_TITLES, IndexRecord, LiteratureIndex, PaperIds
from digestmail.model.reports import EnrichmentReport, Stop
from digestmail.storage import api_usage, paper_records
from digestmail.storage.database import Database
from digestmail.storage.upsert import chunks

_INTERVAL: Final = timedelta(days=7)
_MOST: Final = 10_000
"""Papers of one run, so that their ids take little memory."""
_ABOUT_A_RECORD: Final = frozenset({400, 413, 414, 422, 500})


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrichmentLimits:
    """What may be asked for."""

    days: int
    """The age up to which papers are recent."""
    requests_per_day: int
    """Of each index."""


class _SpentError(Exception):
    """The budget of the day is spent."""


def enrich_papers(
    database: Database,
    index: LiteratureIndex,
    limits: EnrichmentLimits,
    now: datetime,
    *,
    today: Callable[[], date],
    stop: Stop,
) -> EnrichmentReport | None:
    """Store what an index knows about the recent papers that are due; None if none are.

    Each batch is stored at once. A batch that the index refuses is halved, and the half that it refuses halved again,
    so that one bad record stops no other; if it refuses both halves, it is down. The first other failure ends it.
    """
    due = _due(database, index, limits, now)
    if not due:
        return None
    asker = _Asker(database, index, limits.requests_per_day, today)
    known = asked = 0
    problem = ""
    for batch in chunks(due, index.batch_size):
        if stop():
            break
        try:
            found = asker.look_up(batch)
        except _SpentError:
            problem = "the requests of the day are spent"
            break
        except SourceError as error:
            problem = str(error)
            break
        with database.begin() as connection:
            paper_records.store(connection, index.name, batch, found, now)
        known, asked = known + len(found), asked + len(batch)
    return EnrichmentReport(index=INDEX_TITLES[index.name], known=known, asked=asked, problem=problem)


def _due(database: Database, index: LiteratureIndex, limits: EnrichmentLimits, now: datetime) -> list[PaperIds]:
    since = now - timedelta(days=limits.days)
    with database.connect() as connection:
        return paper_records.due(connection, index.name, since=since, read_before=now - _INTERVAL, now=now, most=_MOST)


class _Asker:
    """Asks an index within its budget."""

    def __init__(self, database: Database, index: LiteratureIndex, per_day: int, today: Callable[[], date]) -> None:
        self._database = database
        self._index = index
        self._per_day = per_day
        self._today = today

    def look_up(self, papers: Sequence[PaperIds]) -> dict[int, IndexRecord]:
        """Return what is known about papers; nothing about one that is refused alone. Raises SourceError, _SpentError.

        If both halves are refused, the index is down, unless it says that it knows nothing.
        """
        found, error = self._try(papers)
        while error is not None and len(papers) > 1:
            middle = len(papers) // 2
            tried = [(half, *self._try(half)) for half in (papers[:middle], papers[middle:])]
            refused = [(half, problem) for half, _, problem in tried if problem is not None]
            if len(refused) == len(tried):
                break
            found |= {row_id: record for _, records, _ in tried for row_id, record in records.items()}
            papers, error = refused[0] if refused else ((), None)
        if error is None or isinstance(error, SourceKnowsNothingError) or found:
            return found
        raise error

    def _try(self, papers: Sequence[PaperIds]) -> tuple[dict[int, IndexRecord], SourceError | None]:
        """Return the records, or the error if it may be about one of the papers. Raises SourceError or _SpentError."""
        with self._database.begin() as connection:
            day = self._today()
            if not api_usage.reserve(connection, self._index.name, day, requests=self._per_day):
                raise _SpentError
        try:
            return self._index.look_up(papers), None
        except SourceError as error:
            if error.status not in _ABOUT_A_RECORD:
                raise
            return {}, error
