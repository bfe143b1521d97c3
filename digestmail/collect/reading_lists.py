"""Reads the reading lists that are due, and stores title and abstract of their papers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final, Protocol

from sqlalchemy import Connection

from digestmail.collect.lanes import run_lanes
from digestmail.collect.reading_problems import ReadingProblem, problem_of
from digestmail.errors import (
    DigestmailError,
    RejectedValueError,
    SourceError,
    SourceRefusedError,
    SourceThrottledError,
    SourceUnreadableError,
)
from digestmail.model.papers import Paper, PaperId
from digestmail.model.personal import KnownPaper, ReadingList, ReadingListKind
from digestmail.model.reports import ReadingListsReport, Stop
from digestmail.sources.parsed import single_line
from digestmail.sources.reading_list import ListedPaper, ReadingListService
from digestmail.storage import reading_lists
from digestmail.storage.database import Database

log = logging.getLogger("digestmail.reading_lists")

UNCHANGED_TRUSTED: Final = timedelta(days=28)
"""How long "not modified" is trusted. Then a list is read completely, because a broken cache may repeat it for ever."""

_ARXIV: Final = "arxiv:"
_LONGEST_DETAIL: Final = 500
_NEWEST: Final = "999999999"
"""A version that no library has reached: one that can be read has not changed since."""


class PaperFinder(Protocol):
    """Finds papers by arXiv id (`sources.arxiv_ids.ArxivPapers`)."""

    def find(self, arxiv_ids: Sequence[str]) -> Mapping[PaperId, Paper]:
        """Return the papers with these ids that are found, by paper id. Raises SourceError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListReader:
    """What reads the lists of one lane."""

    service: ReadingListService
    finder: PaperFinder


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadList:
    """A list that was read completely."""

    list_id: int
    papers: tuple[KnownPaper, ...]
    skipped: int
    unchanged: bool
    validator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedList:
    """A list that could not be read."""

    list_id: int
    problem: str
    """A sentence for its reader."""
    detail: str
    """A sentence for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostponedList:
    """A list that was not tried, because the service asked for a pause."""

    list_id: int


ListResult = ReadList | FailedList | PostponedList


def read_lists(
    database: Database,
    lists: Sequence[ReadingList],
    reader_of: Callable[[ReadingList], ListReader],
    now: datetime,
    *,
    stop: Stop,
) -> ReadingListsReport:
    """Read the lists and store the result of each. An error of one does not stop the others.

    Lists of one kind are read one after the other, and the kinds at the same time. `stop` is checked between lists and
    while all services keep us waiting; a list that was not finished is read by the next run.
    """
    lanes: dict[ReadingListKind, list[ReadingList]] = {}
    for one in lists:
        lanes.setdefault(one.kind, []).append(one)
    throttled: set[ReadingListKind] = set()

    def read(one: ReadingList) -> ListResult:
        if one.kind in throttled:
            return PostponedList(list_id=one.id)
        return _read(database, one, reader_of(one), now, throttled)

    report = ReadingListsReport()
    for result in run_lanes(list(lanes.values()), read, stop):
        report += _store(database, result, now)
    return report


def try_list(one: ReadingList, service: ReadingListService) -> str:
    """Ask a service for a list, with the least that it has to answer, and return what is wrong with it, if anything."""
    try:
        service.read(one.reference, _NEWEST if one.kind is ReadingListKind.ZOTERO else "")
    except SourceError as error:
        return _failed(one, error).detail
    return ""


def _read(
    database: Database, one: ReadingList, reader: ListReader, now: datetime, throttled: set[ReadingListKind]
) -> ListResult:
    try:
        reading = reader.service.read(one.reference, _validator(one, now))
        papers = () if reading.unchanged else _completed(database, reader.finder, reading.papers)
    except SourceThrottledError as error:
        throttled.add(one.kind)
        # Without a status no request was sent: the list has not had its turn.
        return PostponedList(list_id=one.id) if error.status is None else _failed(one, error)
    except SourceError as error:
        return _failed(one, error)
    except DigestmailError:
        raise  # our own problem, such as the database, is not the list's
    except Exception as error:
        # A parser's bug with one list must not affect the others. It is logged with its traceback.
        log.exception("list=%d could not be read", one.id)
        return _failed(one, SourceUnreadableError(f"unexpected {type(error).__name__}: {error}"))
    return ReadList(
        list_id=one.id,
        papers=papers,
        skipped=len(reading.skipped) + len(reading.papers) - len(papers),
        unchanged=reading.unchanged,
        validator=reading.validator,
    )


def _validator(one: ReadingList, now: datetime) -> str:
    """Return the validator to send: none if the list was last read completely too long ago."""
    known = one.validator if one.read_at is not None and abs(now - one.read_at) <= UNCHANGED_TRUSTED else None
    return known or ""


def _completed(database: Database, finder: PaperFinder, papers: Iterable[ListedPaper]) -> tuple[KnownPaper, ...]:
    """Return the papers with the titles and abstracts that the list does not have: from the stored papers, or arXiv.

    Papers whose title remains unknown are left out. Raises SourceError if arXiv was needed for titles and failed.
    """
    papers = tuple(papers)
    known = _stored(database, [paper for paper in papers if not _is_complete(paper)])
    missing = [paper for paper in papers if not _is_complete(paper) and not _find(known, paper).abstract]
    arxiv_ids = [
        paper.ids[0].removeprefix(_ARXIV) for paper in missing if paper.ids and paper.ids[0].startswith(_ARXIV)
    ]
    if arxiv_ids:
        known |= _from_arxiv(finder, arxiv_ids, needed=any(not _title(known, paper) for paper in missing))
    completed = [
        KnownPaper(title=title, abstract=paper.abstract or _find(known, paper).abstract)
        for paper in papers
        if (title := _title(known, paper))
    ]
    if papers and not completed:
        raise SourceRefusedError(f"arXiv has none of the {len(papers):,} papers", status=HTTPStatus.NOT_FOUND)
    return tuple(completed)


def _stored(database: Database, papers: Iterable[ListedPaper]) -> dict[PaperId, KnownPaper]:
    ids = {paper_id for paper in papers for paper_id in paper.ids}
    if not ids:
        return {}
    with database.connect() as connection:
        return reading_lists.stored_papers(connection, ids)


def _from_arxiv(finder: PaperFinder, arxiv_ids: Sequence[str], *, needed: bool) -> dict[PaperId, KnownPaper]:
    try:
        found = finder.find(arxiv_ids)
    except SourceError as error:
        if needed:
            raise
        log.info("abstracts of %d papers are missing: %s", len(arxiv_ids), error)
        return {}
    return {key: KnownPaper(title=paper.title, abstract=paper.abstract) for key, paper in found.items()}


def _is_complete(paper: ListedPaper) -> bool:
    return bool(paper.title and paper.abstract)


def _title(known: Mapping[PaperId, KnownPaper], paper: ListedPaper) -> str:
    return paper.title or _find(known, paper).title


def _find(known: Mapping[PaperId, KnownPaper], paper: ListedPaper) -> KnownPaper:
    found = [known[paper_id] for paper_id in paper.ids if paper_id in known]
    return max(found, key=lambda one: bool(one.abstract), default=KnownPaper(title=""))


def _failed(one: ReadingList, error: SourceError) -> FailedList:
    detail = single_line(str(error))[:_LONGEST_DETAIL]
    if one.subscriber_id is None:
        if one.kind is ReadingListKind.ZOTERO and error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            detail += "; zotero_key in [profile] is missing or wrong, or may not read this library"
        return FailedList(list_id=one.id, problem=detail, detail=detail)
    return FailedList(list_id=one.id, problem=problem_of(one.kind, error), detail=detail)


def _store(database: Database, result: ListResult, now: datetime) -> ReadingListsReport:
    """Store the result of one list. If its papers cannot be stored, that is recorded as its problem."""
    if isinstance(result, PostponedList):
        return ReadingListsReport(postponed=1)
    if isinstance(result, ReadList):
        try:
            with database.begin() as connection:
                return _store_read(connection, result, now)
        except RejectedValueError as error:
            detail = f"could not be stored: {single_line(str(error))[:_LONGEST_DETAIL]}"
            result = FailedList(list_id=result.list_id, problem=ReadingProblem.UNREADABLE, detail=detail)
    log.info("list=%d could not be read: %s", result.list_id, result.detail)
    with database.begin() as connection:
        reading_lists.record_failure(connection, result.list_id, result.problem, now)
    return ReadingListsReport(failed=1)


def _store_read(connection: Connection, result: ReadList, now: datetime) -> ReadingListsReport:
    if result.unchanged:
        reading_lists.record_unchanged(connection, result.list_id, now)
        return ReadingListsReport(unchanged=1)
    reading_lists.record_reading(connection, result.list_id, result.papers, now, validator=result.validator)
    return ReadingListsReport(read=1, papers=len(result.papers), skipped=result.skipped)
