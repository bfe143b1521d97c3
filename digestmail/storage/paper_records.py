"""What indexes of the literature know about papers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, or_, select

from digestmail.model.literature import IndexName, IndexRecord, PaperIds
from digestmail.model.papers import PaperId
from digestmail.storage import paper_rows
from digestmail.storage.schema import paper_aliases, paper_records, papers
from digestmail.storage.upsert import chunks, insert

_KINDS = ("arxiv:", "doi:")


def due(
    connection: Connection, source: IndexName, *, since: datetime, read_before: datetime, now: datetime, most: int
) -> list[PaperIds]:
    """Return papers with an arXiv ID or DOI, first seen at or after `since`, that an index was not asked for lately.

    Lately means at or after `read_before`; a time after `now` was written by a clock that was ahead, and counts as long
    ago.
    Papers that it was never asked for come first, the newest first, then those that it was asked for longest ago.
    """
    p, r, a = papers.c, paper_records.c, paper_aliases.c
    joined = papers.outerjoin(paper_records, (r.paper_id == p.id) & (r.source == source))
    named = select(a.paper_id).where(a.paper_id == p.id, or_(*(a.alias.startswith(kind) for kind in _KINDS))).exists()
    statement = (
        select(p.id)
        .select_from(joined)
        .where(p.merged_into.is_(None), p.first_seen_at >= since, named)
        .where(r.read_at.is_(None) | (r.read_at < read_before) | (r.read_at > now))
        .order_by(r.read_at.is_not(None), r.read_at, p.id.desc())
    )
    rows = list(connection.execute(statement.limit(most)).scalars())
    names: dict[int, list[str]] = {}
    for some in chunks(rows):
        for row in connection.execute(select(a.paper_id, a.alias).where(a.paper_id.in_(some)).order_by(a.alias)):
            names.setdefault(row.paper_id, []).append(row.alias)
    return [_ids(row_id, names.get(row_id, ())) for row_id in rows]


def _ids(row_id: int, names: Iterable[str]) -> PaperIds:
    arxiv, dois = ([name.removeprefix(kind) for name in names if name.startswith(kind)] for kind in _KINDS)
    return PaperIds(row_id=row_id, arxiv_id=arxiv[0] if arxiv else None, dois=tuple(dois))


def store(
    connection: Connection,
    source: IndexName,
    asked: Iterable[PaperIds],
    found: Mapping[int, IndexRecord],
    now: datetime,
) -> None:
    """Store what an index knows about the papers that it was `asked` for; of those that it does not know, nothing.

    What it knew before about a paper that it does not know now stays.
    """
    unknown = [paper.row_id for paper in asked if paper.row_id not in found]
    if found:
        statement = insert(connection, paper_records)
        columns = ("citations", "venue", "url", "read_at")
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["paper_id", "source"], set_={name: statement.excluded[name] for name in columns}
            ),
            [
                {
                    "paper_id": row_id,
                    "source": source,
                    "citations": one.citations,
                    "venue": one.venue,
                    "url": one.url,
                    "read_at": now,
                }
                for row_id, one in found.items()
            ],
        )
    if unknown:
        statement = insert(connection, paper_records)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["paper_id", "source"], set_={"read_at": statement.excluded.read_at}
            ),
            [{"paper_id": row_id, "source": source, "read_at": now} for row_id in unknown],
        )


def of_paper(connection: Connection, paper_id: PaperId) -> tuple[IndexRecord, ...]:
    """Return what the indexes know about a paper, by index; those that know nothing are left out."""
    row_id = paper_rows.row_ids(connection, [paper_id]).get(paper_id)
    r = paper_records.c
    statement = select(paper_records).where(r.paper_id == row_id, r.citations.is_not(None) | r.venue.is_not(None))
    return tuple(
        IndexRecord(
            source=IndexName(row.source), citations=row.citations, venue=row.venue, url=row.url, read_at=row.read_at
        )
        for row in connection.execute(statement.order_by(r.source.desc()))
    )


def drop(connection: Connection, row_id: int) -> None:
    """Remove the records of the paper in this row, which was merged into another."""
    connection.execute(delete(paper_records).where(paper_records.c.paper_id == row_id))
