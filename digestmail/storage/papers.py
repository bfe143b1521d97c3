"""Papers: their data, sightings and editions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select

from digestmail.errors import StorageError
from digestmail.model.archive import StoredSighting
from digestmail.model.papers import Mention, Mentioned, Paper, PaperId, Signals
from digestmail.papers.identity import find_arxiv_id, find_doi, highest, identify
from digestmail.schedule.moments import SKEW
from digestmail.storage import paper_rows
from digestmail.storage.merging import Added, add_sightings
from digestmail.storage.schema import edition_papers, editions, paper_aliases, papers, sightings
from digestmail.storage.sightings import signals_of
from digestmail.storage.upsert import chunks

__all__ = [
    "Added",
    "StoredSighting",
    "add_sightings",
    "by_ids",
    "editions_of",
    "find",
    "latest",
    "list_papers",
    "mentioned",
    "mentions_of",
    "published",
    "published_elsewhere",
    "resolve",
    "row_ids",
    "sightings_of",
    "staying_row",
    "with_title",
]


_SHORTEST_TITLE = 3


def row_ids(connection: Connection, paper_ids: Collection[PaperId]) -> dict[PaperId, int]:
    """Return the rows of those ids and aliases that are stored."""
    return paper_rows.row_ids(connection, paper_ids)


def staying_row() -> ColumnElement[int]:
    """Return the current row of a paper that may have been merged."""
    return func.coalesce(papers.c.merged_into, papers.c.id)


def find(connection: Connection, ref: str) -> Paper | None:
    """Return the paper `ref`: a paper id, or any text with an arXiv id, DOI or link."""
    named = identify(arxiv=find_arxiv_id(ref), doi=find_doi(ref), link=ref)
    keys = [PaperId(ref), *((named[0], *named[1]) if named else ())]
    rows = row_ids(connection, keys)
    for key in keys:
        if key in rows:
            return next(paper_rows.load(connection, [rows[key]]))[1]
    return None


def by_ids(connection: Connection, paper_ids: Collection[PaperId]) -> dict[PaperId, Paper]:
    """Return the paper that each of these ids or aliases stands for today."""
    rows = row_ids(connection, paper_ids)
    found = dict(paper_rows.load(connection, set(rows.values())))
    return {paper_id: found[row_id] for paper_id, row_id in rows.items()}


def with_title(connection: Connection, text: str, limit: int = 10) -> tuple[Paper, ...]:
    """Return the papers whose title is `text`, in any case; if there are none, those whose title contains it."""
    wanted = " ".join(text.split())
    if len(wanted) < _SHORTEST_TITLE:
        return ()
    p = papers.c
    for matches in (func.lower(p.title) == wanted.lower(), p.title.icontains(wanted, autoescape=True)):
        newest = select(p.id).where(p.merged_into.is_(None), matches).order_by(p.first_seen_at.desc(), p.id)
        order = list(connection.execute(newest.limit(limit)).scalars())
        if order:
            found = dict(paper_rows.load(connection, order))
            return tuple(found[row_id] for row_id in order)
    return ()


def resolve(connection: Connection, ref: str) -> Paper:
    """Return the paper that `ref` names: an id, DOI, link, title or part of one. Raises StorageError.

    The error names the papers if there are several.
    """
    paper = find(connection, ref)
    found = (paper,) if paper is not None else with_title(connection, ref)
    if len(found) == 1:
        return found[0]
    if not found:
        raise StorageError(f"there is no paper {ref!r}: give an arXiv ID, DOI, link or words of its title")
    listed = "".join(f"\n  {one.id}  {one.title}" for one in found)
    raise StorageError(f"several papers have {ref!r} in their title; name one by its id:{listed}")


def list_papers(connection: Connection, limit: int, source: str | None = None) -> tuple[Paper, ...]:
    """Return the latest papers, newest first, optionally those of a source or of a list of sources."""
    statement = select(papers.c.id).where(papers.c.merged_into.is_(None))
    if source is not None:
        shown = sightings.c.source
        of_source = (shown == source) | shown.startswith(f"{source}/", autoescape=True)
        statement = statement.where(exists().where(sightings.c.paper_id == papers.c.id, of_source))
    newest = statement.order_by(papers.c.first_seen_at.desc(), papers.c.id).limit(limit)
    order = list(connection.execute(newest).scalars())
    found = dict(paper_rows.load(connection, order))
    return tuple(found[row_id] for row_id in order)


def mentioned(
    connection: Connection, sources: Sequence[str], since: datetime, until: datetime, horizon: datetime | None = None
) -> tuple[Mentioned, ...]:
    """Return the papers that one of `sources` first showed from `since` to `until`, with all sightings up to then.

    Another source may have shown the paper long before. Papers with dates after `horizon`, the latest possible time if
    known, were stored with a clock that was ahead, and are included.
    """

    def visible(seen_at: ColumnElement[datetime]) -> ColumnElement[bool]:
        return seen_at <= until if horizon is None else (seen_at <= until) | (seen_at > horizon + SKEW)

    mine = sightings.alias("mine")
    before = sightings.alias("before")
    chosen = (
        select(mine.c.paper_id)
        .where(mine.c.source.in_(sources), mine.c.seen_at >= since, visible(mine.c.seen_at))
        .where(
            ~exists().where(
                before.c.paper_id == mine.c.paper_id, before.c.source == mine.c.source, before.c.seen_at < since
            )
        )
        .distinct()
    )
    rows = connection.execute(
        select(sightings)
        .where(sightings.c.paper_id.in_(chosen), sightings.c.source.in_(sources), visible(sightings.c.seen_at))
        .order_by(sightings.c.paper_id, sightings.c.source, sightings.c.seen_on)
    ).all()
    known = dict(paper_rows.load(connection, {row.paper_id for row in rows}))
    grouped = groupby(rows, key=lambda row: row.paper_id)
    return tuple(_mentioned(known[row_id], list(group)) for row_id, group in grouped)


def latest(
    connection: Connection, paper_ids: Collection[PaperId], sources: Sequence[str], until: datetime
) -> dict[PaperId, tuple[Paper, Signals]]:
    """Return each of these papers as it is known today, with the latest counts that `sources` showed up to `until`."""
    by_row = row_ids(connection, paper_ids)
    counts: dict[int, Signals] = {}
    for some in chunks(sorted(set(by_row.values()))):
        rows = connection.execute(
            select(sightings)
            .where(sightings.c.paper_id.in_(some), sightings.c.source.in_(sources), sightings.c.seen_at <= until)
            .order_by(sightings.c.paper_id, sightings.c.source, sightings.c.seen_on)
        )
        for (row_id, _), group in groupby(rows, key=lambda row: (row.paper_id, row.source)):
            *_, last = group
            counts[row_id] = highest(counts.get(row_id, Signals()), signals_of(last))
    known = dict(paper_rows.load(connection, counts))
    return {paper_id: (known[row], counts[row]) for paper_id, row in by_row.items() if row in counts}


def _mentioned(paper: Paper, rows: list[Row[Any]]) -> Mentioned:
    """Combine the rows of one paper, ordered by source and day."""
    signals = Signals()
    mentions = []
    for source, group in groupby(rows, key=lambda row: row.source):
        of_source = list(group)
        signals = highest(signals, signals_of(of_source[-1]))
        mentions.append(_mention(source, of_source))
    return Mentioned(paper=paper, mentions=tuple(mentions), signals=signals, earlier=_before_last_day(rows))


def _before_last_day(rows: Sequence[Row[Any]]) -> Signals:
    """Return the counts as they were known before the last day on which they changed, whichever source gave them.

    If only one day is known, they are those of that day. A source that shows a known paper for the first time must not
    hide that its counts grew.
    """

    def count(name: str) -> int | None:
        known = [(row.source, row.seen_on, value) for row in rows if (value := getattr(row, name)) is not None]
        last = max((day for _, day, _ in known), default=None)
        # Rows are ordered by day, so that the latest one of each source remains.
        before = {source: value for source, day, value in known if day != last}
        now = {source: value for source, _, value in known}
        return max((before or now).values(), default=None)

    return Signals(upvotes=count("upvotes"), comments=count("comments"), stars=count("stars"))


def _mention(source: str, rows: Sequence[Row[Any] | StoredSighting]) -> Mention:
    return Mention(source=source, first_seen_at=min(row.seen_at for row in rows), day=max(row.day for row in rows))


def mentions_of(connection: Connection, paper_id: PaperId) -> tuple[Mention, ...]:
    """Return when each source first showed a paper, by source name."""
    rows = sorted(sightings_of(connection, paper_id), key=lambda row: row.source)
    return tuple(_mention(source, list(group)) for source, group in groupby(rows, key=lambda row: row.source))


def published(connection: Connection, digest: str, paper_ids: Collection[PaperId]) -> dict[PaperId, str]:
    """Return the slot in which `digest` published each of these papers, including merged ones."""
    rows = row_ids(connection, paper_ids)
    by_row: dict[int, list[PaperId]] = {}
    for paper_id, row_id in rows.items():
        by_row.setdefault(row_id, []).append(paper_id)
    stays = staying_row().label("stays")
    found: dict[PaperId, str] = {}
    for some in chunks(sorted(by_row)):
        statement = (
            select(stays, editions.c.slot)
            .select_from(edition_papers)
            .join(papers, papers.c.id == edition_papers.c.paper_id)
            .join(editions, editions.c.id == edition_papers.c.edition_id)
            .where(edition_papers.c.digest == digest, stays.in_(some))
        )
        for row in connection.execute(statement):
            found.update(dict.fromkeys(by_row[row.stays], row.slot))
    return found


def published_elsewhere(
    connection: Connection, paper_ids: Collection[PaperId], digest: str, allow_repeats_of: Collection[str] = ()
) -> frozenset[PaperId]:
    """Return those of the papers that other digests published, as for `editions.prior_segments`."""
    by_row = {row_id: paper_id for paper_id, row_id in row_ids(connection, paper_ids).items()}
    found: set[PaperId] = set()
    stays = staying_row().label("stays")
    for some in chunks(sorted(by_row)):
        statement = (
            select(stays)
            .select_from(edition_papers)
            .join(papers, papers.c.id == edition_papers.c.paper_id)
            .join(editions, editions.c.id == edition_papers.c.edition_id)
            .where(edition_papers.c.digest != digest, editions.c.base.not_in(list(allow_repeats_of)), stays.in_(some))
        )
        found.update(by_row[row_id] for row_id in connection.execute(statement).scalars())
    return frozenset(found)


def sightings_of(connection: Connection, paper_id: PaperId) -> tuple[StoredSighting, ...]:
    """Return the sightings of a paper, oldest first."""
    statement = (
        select(sightings)
        .join(paper_aliases, paper_aliases.c.paper_id == sightings.c.paper_id)
        .where(paper_aliases.c.alias == paper_id)
        .order_by(sightings.c.seen_on, sightings.c.source)
    )
    return tuple(
        StoredSighting(source=row.source, day=row.day, seen_at=row.seen_at, signals=signals_of(row))
        for row in connection.execute(statement)
    )


def editions_of(connection: Connection, paper_id: PaperId) -> tuple[tuple[str, str], ...]:
    """Return (digest, slot) of the editions that contained a paper, oldest first; variants are left out."""
    statement = (
        select(editions.c.digest, editions.c.slot)
        .join(edition_papers, edition_papers.c.edition_id == editions.c.id)
        .join(papers, papers.c.id == edition_papers.c.paper_id)
        .join(paper_aliases, paper_aliases.c.paper_id == staying_row())
        .where(paper_aliases.c.alias == paper_id, editions.c.digest == editions.c.base)
        .order_by(editions.c.slot_at, editions.c.digest)
    )
    return tuple((row.digest, row.slot) for row in connection.execute(statement))
