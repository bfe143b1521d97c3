"""Lists of papers: all that were collected, newest first, and all that qualified for an edition, by rank."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, exists, select

from digestmail.model.archive import CollectedPaper, RankedPaper
from digestmail.storage import paper_rows
from digestmail.storage.papers import staying_row
from digestmail.storage.schema import edition_papers, editions, papers, qualified_papers, sightings, sources

_Q = qualified_papers.c


def of_edition(
    connection: Connection, edition_id: int, *, topic: str | None, after: int, limit: int
) -> tuple[RankedPaper, ...]:
    """Return the papers that qualified for an edition with a rank above `after`, best first, optionally of a topic."""
    statement = (
        select(_Q.rank, staying_row().label("row_id"))
        .join(papers, papers.c.id == _Q.paper_id)
        .where(_Q.edition_id == edition_id, _Q.rank > after)
        .distinct()
        .order_by(_Q.rank)
        .limit(limit)
    )
    rows = connection.execute(statement if topic is None else statement.where(_Q.topic == topic)).all()
    ranks = [row.rank for row in rows]
    named = select(_Q.rank, _Q.topic).where(_Q.edition_id == edition_id, _Q.rank.in_(ranks), _Q.topic != "")
    under: dict[int, list[str]] = {}
    for rank, name in connection.execute(named.order_by(_Q.topic)):
        under.setdefault(rank, []).append(name)
    known = dict(paper_rows.load(connection, {row.row_id for row in rows}))
    return tuple(
        RankedPaper(rank=row.rank, paper=known[row.row_id], topics=tuple(under.get(row.rank, ()))) for row in rows
    )


def collected(
    connection: Connection, *, topic: str | None, source: str | None, below: int | None, limit: int
) -> tuple[CollectedPaper, ...]:
    """Return the newest papers in rows below `below`, newest first.

    `topic` keeps those that qualified for an edition under it, `source` those that it showed, or that one of the list
    of this name showed. Each statement walks an index backwards from `below`, so that a page costs the same in a
    database of any size.
    """
    names = (None,) if source is None else _members(connection, source)
    rows = {row for name in names for row in _newest_rows(connection, topic, name, below, limit)}
    order = sorted(rows, reverse=True)[:limit]
    known = dict(paper_rows.load(connection, order))
    dated = connection.execute(select(papers.c.id, papers.c.first_seen_at).where(papers.c.id.in_(order)))
    seen = {row.id: row.first_seen_at for row in dated}
    published = _editions_of(connection, order)
    return tuple(
        CollectedPaper(
            row=row_id,
            paper=known[row_id],
            first_seen_at=seen[row_id],
            editions=tuple(published.get(row_id, ())),
        )
        for row_id in order
    )


def _members(connection: Connection, source: str) -> tuple[str, ...]:
    """Return the name of a source, and those of all sources in the list of this name."""
    name = sources.c.name
    of_list = name.startswith(f"{source}/", autoescape=True)
    return (source, *connection.execute(select(name).where(of_list).order_by(name)).scalars())


def _newest_rows(
    connection: Connection, topic: str | None, source: str | None, below: int | None, limit: int
) -> Sequence[int]:
    # What is stored under a topic or source moves when papers are merged, so only the last of these sees merged rows.
    if topic is not None:
        row, conditions = _Q.paper_id, [_Q.topic == topic]
        if source is not None:
            shown = (sightings.c.paper_id == _Q.paper_id) & (sightings.c.source == source)
            conditions.append(exists().where(shown))
    elif source is not None:
        row, conditions = sightings.c.paper_id, [sightings.c.source == source]
    else:
        row, conditions = papers.c.id, [papers.c.merged_into.is_(None)]
    if below is not None:
        conditions.append(row < below)
    statement = select(row).where(*conditions).distinct().order_by(row.desc()).limit(limit)
    return connection.execute(statement).scalars().all()


def row_after(connection: Connection, moment: datetime) -> int | None:
    """Return a row that all papers first seen before `moment` are below; None if there are none.

    Rows are in order of arrival, so few later papers are below it, if any: those that a clock dated wrongly.
    """
    p = papers.c
    last = select(p.id).where(p.first_seen_at < moment).order_by(p.first_seen_at.desc(), p.id.desc()).limit(1)
    found = connection.execute(last).scalar()
    return None if found is None else int(found) + 1


def _editions_of(connection: Connection, rows: Collection[int]) -> dict[int, list[tuple[str, str]]]:
    """Return (digest, slot) of the editions that contain each of these papers, oldest first, without variants."""
    stays = staying_row().label("stays")
    statement = (
        select(stays, editions.c.digest, editions.c.slot)
        .select_from(edition_papers)
        .join(papers, papers.c.id == edition_papers.c.paper_id)
        .join(editions, editions.c.id == edition_papers.c.edition_id)
        .where(papers.c.id.in_(rows) | papers.c.merged_into.in_(rows), editions.c.digest == editions.c.base)
        .order_by(editions.c.slot_at, editions.c.digest)
    )
    found: dict[int, list[tuple[str, str]]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.stays, []).append((row.digest, row.slot))
    return found
