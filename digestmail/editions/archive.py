"""Reads stored papers, editions and searches, one function for each view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from digestmail.model.archive import (
    CollectedPaper,
    EditionLine,
    EditionRecord,
    PaperRecord,
    QualifiedPapers,
    StoredEdition,
)
from digestmail.model.editions import Edition
from digestmail.model.papers import Paper
from digestmail.model.reports import Statistics
from digestmail.model.search import Found, Query, SeenPaper
from digestmail.storage import (
    archive,
    editions,
    paper_lists,
    paper_records,
    paper_summaries,
    papers,
    qualified_papers,
    search,
    statistics,
)
from digestmail.storage.database import Database


def find_paper(database: Database, ref: str) -> Paper | None:
    """Return the paper with the reference `ref`: an id, a DOI or a link. None if it is unknown."""
    with database.connect() as connection:
        return papers.find(connection, ref)


def resolve_paper(database: Database, ref: str) -> Paper:
    """Return the paper that `ref` names: an id, DOI, link, title or part of one. Raises StorageError."""
    with database.connect() as connection:
        return papers.resolve(connection, ref)


def paper_record(database: Database, ref: str, model: str | None = None) -> PaperRecord | None:
    """Return all data about the paper `ref`, with summaries by the language model `model`; None if it is unknown."""
    with database.connect() as connection:
        paper = papers.find(connection, ref)
        if paper is None:
            return None
        return PaperRecord(
            paper=paper,
            sightings=papers.sightings_of(connection, paper.id),
            editions=papers.editions_of(connection, paper.id),
            summaries=paper_summaries.of_papers(connection, model, [paper]).get(paper.id, ()) if model else (),
            records=paper_records.of_paper(connection, paper.id),
        )


def papers_today(database: Database, known: Sequence[Paper]) -> tuple[Paper, ...]:
    """Return papers of an edition as they are known today: under a better ID, or with corrected authors."""
    with database.connect() as connection:
        found = papers.by_ids(connection, [paper.id for paper in known])
    return tuple(found.get(paper.id, paper) for paper in known)


def papers_seen_last(database: Database, limit: int, source: str | None = None) -> tuple[Paper, ...]:
    """Return the latest papers, newest first, optionally of one source or list of sources."""
    with database.connect() as connection:
        return papers.list_papers(connection, limit, source=source)


def paper_page(database: Database, *, below: int | None, limit: int) -> tuple[tuple[int, Paper], ...]:
    """Return (row, paper) of the latest papers, newest first. `below` continues after that row."""
    with database.connect() as connection:
        return archive.paper_page(connection, below=below, limit=limit)


def collected_papers(
    database: Database,
    *,
    topic: str | None,
    source: str | None,
    before: datetime | None,
    below: int | None,
    limit: int,
) -> tuple[CollectedPaper, ...]:
    """Return the newest papers first seen before `before` and in rows below `below`, newest first.

    `topic` keeps those that qualified for an edition under it, `source` those that it showed, or a source of this list.
    """
    with database.connect() as connection:
        if before is not None:
            latest = paper_lists.row_after(connection, before)
            if latest is None:
                return ()
            below = latest if below is None else min(latest, below)
        return paper_lists.collected(connection, topic=topic, source=source, below=below, limit=limit)


def qualified_papers_of(
    database: Database, edition_id: int, *, topic: str | None, after: int, limit: int
) -> QualifiedPapers:
    """Return the papers that qualified for an edition with a rank above `after`, best first, optionally of a topic."""
    with database.connect() as connection:
        return QualifiedPapers(
            papers=paper_lists.of_edition(connection, edition_id, topic=topic, after=after, limit=limit),
            topics=qualified_papers.counts(connection, edition_id),
            total=qualified_papers.total(connection, edition_id),
        )


def qualified_topics(database: Database) -> tuple[str, ...]:
    """Return every topic under which papers qualified for an edition, including former topics."""
    with database.connect() as connection:
        return tuple(topic for topic in qualified_papers.topics(connection) if topic)


def paper_keys(database: Database, first: int, last: int) -> tuple[tuple[str, datetime], ...]:
    """Return (id, time of the last change) of the papers in the rows `first` to `last`, inclusive."""
    with database.connect() as connection:
        return archive.paper_keys(connection, first, last)


def newest_paper_row(database: Database) -> int:
    """Return the highest row of a paper; 0 if there is none."""
    with database.connect() as connection:
        return archive.newest_paper_row(connection)


def find_edition(database: Database, digest: str, slot: str) -> StoredEdition | None:
    """Return an edition, which may be empty; None if the slot has none."""
    with database.connect() as connection:
        return editions.get(connection, digest, slot)


def edition_record(database: Database, digest: str, slot: str | None = None) -> EditionRecord | None:
    """Return the edition of `slot`, or the latest with papers, with the editions before and after it."""
    with database.connect() as connection:
        found = editions.latest(connection, digest) if slot is None else editions.get(connection, digest, slot)
        if found is None:
            return None
        earlier, later = archive.neighbours(connection, digest, found.edition.slot.at)
    return EditionRecord(id=found.id, edition=found.edition, earlier=earlier, later=later)


def editions_made_last(database: Database, limit: int, digest: str | None = None) -> tuple[StoredEdition, ...]:
    """Return editions, including empty ones, newest first, optionally of one digest."""
    with database.connect() as connection:
        return editions.list_editions(connection, digest=digest, limit=limit)


def edition_lines(
    database: Database, *, digest: str | None = None, limit: int = 100, offset: int = 0
) -> tuple[EditionLine, ...]:
    """Return summaries of editions with papers, newest first."""
    with database.connect() as connection:
        return archive.lines(connection, digest=digest, limit=limit, offset=offset)


def has_editions(database: Database, digest: str, *, since: str = "", until: str = "~") -> bool:
    """Return whether there is an edition with papers for a slot key from `since` up to but not including `until`."""
    with database.connect() as connection:
        return bool(archive.lines(connection, digest=digest, since=since, until=until, limit=1))


def edition_count(database: Database, digest: str | None = None) -> int:
    """Return the number of editions with papers."""
    with database.connect() as connection:
        return archive.count(connection, digest)


def editions_with_papers(
    database: Database, digest: str, *, since: str = "", until: str = "~", limit: int = 100
) -> tuple[tuple[EditionLine, Edition], ...]:
    """Return editions with papers, newest first, with slot keys from `since` up to but not including `until`."""
    with database.connect() as connection:
        lines = archive.lines(connection, digest=digest, since=since, until=until, limit=limit)
        return tuple(zip(lines, (found.edition for found in archive.contents(connection, lines)), strict=True))


def slots(database: Database, digest: str, limit: int) -> tuple[tuple[str, int], ...]:
    """Return (slot, number of papers) of the editions of `digest`, newest first."""
    with database.connect() as connection:
        return archive.list_slots(connection, digest, limit)


def digest_names(database: Database) -> tuple[str, ...]:
    """Return the names of all digests and variants that have editions, empty ones included."""
    with database.connect() as connection:
        return archive.digest_names(connection)


def has_slot(database: Database, digest: str | None, slot: str) -> bool:
    """Return whether a digest or one of its variants has an edition for a slot, any digest if it is None."""
    with database.connect() as connection:
        return archive.has_slot(connection, digest, slot)


def last_slots(database: Database, digest: str | None, limit: int) -> tuple[str, ...]:
    """Return the keys of the last slots of a digest and its variants, of all digests if it is None, newest first."""
    with database.connect() as connection:
        return archive.last_slots(connection, digest, limit)


def find_papers(database: Database, query: Query, *, limit: int, offset: int = 0) -> Found:
    """Search all papers, best match first."""
    with database.connect() as connection:
        return search.search(connection, query, limit=limit, offset=offset)


def newest_matches(database: Database, query: Query, *, limit: int) -> tuple[SeenPaper, ...]:
    """Return the papers that match a search, newest first."""
    with database.connect() as connection:
        return search.newest(connection, query, limit=limit)


def topics(database: Database) -> tuple[str, ...]:
    """Return every topic of a published paper."""
    with database.connect() as connection:
        return search.topics(connection)


def count_everything(database: Database) -> Statistics:
    """Return the counts of the database. Reads the row of every delivery."""
    with database.connect() as connection:
        return statistics.statistics(connection)


def version(database: Database) -> str:
    """Return a value that changes with every edition, paper or sighting. Raises StorageError."""
    with database.connect() as connection:
        return archive.version(connection)
