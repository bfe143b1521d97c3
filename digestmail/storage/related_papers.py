"""Finds papers that may be like a given one, with the search index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, column, func, select, table, text

from digestmail.storage.paper_embeddings import vectors_of
from digestmail.storage.schema import papers
from digestmail.storage.search import expression, terms, tsquery
from digestmail.storage.topic_models import USABLE

AMONG: Final = 100_000
"""Only the newest papers are searched, so that a rare phrase costs no more in a large database."""
_FTS = table("papers_fts", column("rowid"), column("paper_id"), column("words"))


@dataclass(frozen=True, slots=True)
class ComparablePaper:
    """What papers are compared by. `vector` is the embedding by the same model as the first one's, empty if unknown."""

    row_id: int
    title: str
    body: str
    vector: bytes


def newest_with(connection: Connection, phrase: str, *, besides: int, limit: int) -> Sequence[int]:
    """Return the rows of the newest papers that contain `phrase`, without the paper `besides`, newest first."""
    wanted = terms(f'"{phrase}"')
    if not wanted:
        return ()
    newest = connection.execute(select(func.max(papers.c.id))).scalar() or 0
    find = _sqlite if connection.dialect.name == "sqlite" else _postgresql
    return connection.execute(find(wanted, newest - AMONG, besides, limit)).scalars().all()


def _sqlite(wanted: Sequence[Sequence[str]], above: int, besides: int, limit: int) -> Select[Any]:
    row = _FTS.c.rowid
    matches = text("papers_fts MATCH :expression").bindparams(expression=expression(wanted))
    return select(row).where(matches, row > above, row != besides).order_by(row.desc()).limit(limit)


def _postgresql(wanted: Sequence[Sequence[str]], above: int, besides: int, limit: int) -> Select[Any]:
    row = _FTS.c.paper_id
    matches = _FTS.c.words.op("@@")(tsquery(wanted))
    return select(row).where(matches, row > above, row != besides).order_by(row.desc()).limit(limit)


def comparable(connection: Connection, rows: Sequence[int]) -> list[ComparablePaper]:
    """Return these papers in their order, without those that were merged, withdrawn, or have no abstract."""
    p = papers.c
    found = connection.execute(select(p.id, p.title, p.abstract, p.keywords).where(USABLE, p.id.in_(rows)))
    by_row = {row.id: row for row in found}
    vectors = vectors_of(connection, rows)
    return [
        ComparablePaper(
            row_id=row_id,
            title=by_row[row_id].title,
            body=" . ".join((by_row[row_id].abstract, *by_row[row_id].keywords)),
            vector=vectors.get(row_id, b""),
        )
        for row_id in rows
        if row_id in by_row
    ]
