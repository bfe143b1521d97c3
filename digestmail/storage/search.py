"""Searches all papers by words and phrases, topic, source and date, with FTS5 or tsvector.

Only the newest `RANKED_AMONG` matching papers are ranked, so that common words do not become slower as the database
grows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, column, exists, func, literal_column, select, table, text

from digestmail.model.search import RANKED_AMONG, Found, Hit, Piece, Query, SeenPaper
from digestmail.storage import paper_rows
from digestmail.storage.schema import edition_papers, papers, sightings
from digestmail.storage.upsert import chunks

_MOST_TERMS: Final = 12
_TEXT_WORDS: Final = 40
_OPEN, _CLOSE = "\ue000", "\ue001"
"""Mark matches in what the database returns. They are private-use characters, which do not occur in text."""
_READ, _STOOD_FOR = "<>/", "\ue002\ue003\ue004"
"""Characters that PostgreSQL's parser treats as markup or paths, and their temporary replacements."""
_BACK = str.maketrans(_STOOD_FOR, _READ)
_TERM = re.compile(r'"([^"]*)"?|(\S+)')
_WORD = re.compile(r"\w+")


def terms(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the terms of a query, each a word or the words of a phrase, at most twelve.

    A word with a hyphen or an apostrophe is a phrase of its parts, as in the index.
    """
    found = (tuple(_WORD.findall(phrase or word)) for phrase, word in _TERM.findall(text))
    return tuple(term for term in found if term)[:_MOST_TERMS]


def search(connection: Connection, query: Query, *, limit: int = 20, offset: int = 0) -> Found:
    """Return at most `limit` papers that match `query`, after the first `offset`."""
    wanted = terms(query.text)
    if query.text.strip() and not wanted:
        return Found(hits=(), total=0)
    ranked = connection.execute(_newest(connection.dialect.name, wanted, _narrowed(query))).all()
    # Equal ranks: newest first.
    best = sorted(ranked, key=lambda row: (row.rank, -row.id))
    order = [row.id for row in best[offset : offset + limit]]
    marked = _marked(connection, wanted, order) if wanted and order else {}
    return Found(hits=tuple(_hits(connection, order, marked)), total=len(ranked))


def newest(connection: Connection, query: Query, *, limit: int) -> tuple[SeenPaper, ...]:
    """Return the papers that match `query` and came last, newest first: what is new for who follows a search."""
    wanted = terms(query.text)
    if query.text.strip() and not wanted:
        return ()
    rows = connection.execute(_newest(connection.dialect.name, wanted, _narrowed(query), limit)).all()
    order = [row.id for row in rows]
    seen = _first_seen(connection, order)
    found = dict(paper_rows.load(connection, order))
    order.sort(key=lambda row_id: (seen[row_id], row_id), reverse=True)
    return tuple(SeenPaper(paper=found[row_id], first_seen_at=seen[row_id]) for row_id in order)


def topics(connection: Connection) -> tuple[str, ...]:
    """Return every topic of published papers, including former topics, sorted.

    It jumps from one topic to the next in the index. DISTINCT would read a row for every published paper.
    """
    topic = edition_papers.c.topic
    each = select(func.min(topic).label("topic")).cte("topics", recursive=True)
    following = select(func.min(topic)).where(topic > each.c.topic).scalar_subquery()
    each = each.union_all(select(following).where(each.c.topic.is_not(None)))
    return tuple(connection.execute(select(each.c.topic).where(each.c.topic.is_not(None))).scalars())


def _hits(connection: Connection, order: Sequence[int], marked: dict[int, tuple[str, str]]) -> list[Hit]:
    known = dict(paper_rows.load(connection, order))
    seen = _first_seen(connection, order)
    hits = []
    for row_id in order:
        title, abstract = marked.get(row_id, (known[row_id].title, known[row_id].abstract))
        hits.append(
            Hit(
                paper=known[row_id],
                title=_pieces(title),
                abstract=_pieces(abstract),
                first_seen_on=seen[row_id].date(),
            )
        )
    return hits


def _first_seen(connection: Connection, row_ids: Sequence[int]) -> dict[int, datetime]:
    """Return when each of these papers was first seen."""
    found: dict[int, datetime] = {}
    for some in chunks(sorted(row_ids)):
        rows = connection.execute(select(papers.c.id, papers.c.first_seen_at).where(papers.c.id.in_(some)))
        found.update({row.id: row.first_seen_at for row in rows})
    return found


def _narrowed(query: Query) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.topic is not None:
        under = (edition_papers.c.paper_id == papers.c.id) & (edition_papers.c.topic == query.topic)
        conditions.append(exists().where(under))
    if query.source is not None:
        source = sightings.c.source
        of_list = source.startswith(f"{query.source}/", autoescape=True)
        conditions.append(exists().where((sightings.c.paper_id == papers.c.id) & ((source == query.source) | of_list)))
    if query.since is not None:
        conditions.append(papers.c.first_seen_at >= query.since)
    if query.before is not None:
        conditions.append(papers.c.first_seen_at < query.before)
    return conditions


_FTS = table("papers_fts", column("rowid"), column("paper_id"), column("words"))


def _newest(
    dialect: str,
    wanted: Sequence[Sequence[str]],
    narrowed: Sequence[ColumnElement[bool]],
    limit: int = RANKED_AMONG,
) -> Select[Any]:
    """Return the statement for (id, rank) of the newest `limit` papers that match; a smaller rank is better."""
    conditions = (papers.c.merged_into.is_(None), *narrowed)
    if not wanted:
        every = select(papers.c.id, literal_column("0").label("rank")).where(*conditions)
        return every.order_by(papers.c.id.desc()).limit(limit)
    return (_sqlite if dialect == "sqlite" else _postgresql)(wanted, conditions, limit)


def _sqlite(wanted: Sequence[Sequence[str]], conditions: Sequence[ColumnElement[bool]], limit: int) -> Select[Any]:
    # A hit in the title counts ten times one in the abstract (bm25 is smaller for the better).
    rank: ColumnElement[float] = literal_column("bm25(papers_fts, 10.0, 1.0, 4.0)")
    # The plus sign makes SQLite look up papers for index entries, instead of index entries for each paper.
    same: ColumnElement[bool] = literal_column("papers.id = +papers_fts.rowid")
    return (
        select(papers.c.id, rank.label("rank"))
        .select_from(_FTS.join(papers, same))
        .where(text("papers_fts MATCH :expression").bindparams(expression=expression(wanted)), *conditions)
        .order_by(_FTS.c.rowid.desc())
        .limit(limit)
    )


def expression(wanted: Sequence[Sequence[str]]) -> str:
    """Return the query in FTS5 syntax: each term quoted, all of them required."""
    return " AND ".join('"' + " ".join(term) + '"' for term in wanted)


def _postgresql(wanted: Sequence[Sequence[str]], conditions: Sequence[ColumnElement[bool]], limit: int) -> Select[Any]:
    asked = tsquery(wanted)
    newest = (
        select(papers.c.id)
        .join(_FTS, _FTS.c.paper_id == papers.c.id)
        .where(_FTS.c.words.op("@@")(asked), *conditions)
        .order_by(papers.c.id.desc())
        .limit(limit)
        .subquery()
    )
    rank = -func.ts_rank_cd(_FTS.c.words, asked, 1)
    return select(newest.c.id, rank.label("rank")).join(_FTS, _FTS.c.paper_id == newest.c.id)


def tsquery(wanted: Sequence[Sequence[str]]) -> ColumnElement[Any]:
    """Return the query for PostgreSQL: each term a phrase, all of them required."""
    first, *rest = (func.phraseto_tsquery(literal_column("'english'"), " ".join(term)) for term in wanted)
    asked: ColumnElement[Any] = first
    for one in rest:
        asked = asked.op("&&")(one)
    return asked


def _marked(
    connection: Connection, wanted: Sequence[Sequence[str]], row_ids: Sequence[int]
) -> dict[int, tuple[str, str]]:
    """Return the title and an excerpt of the abstract of these papers, with marked matches."""
    if connection.dialect.name == "postgresql":
        options = f"StartSel={_OPEN}, StopSel={_CLOSE}, "
        lengths = f"MaxWords={_TEXT_WORDS}, MinWords={_TEXT_WORDS - 10}"
        asked = tsquery(wanted)
        english: ColumnElement[str] = literal_column("'english'")
        title, abstract = (func.translate(one, _READ, _STOOD_FOR) for one in (papers.c.title, papers.c.abstract))
        statement = select(
            papers.c.id,
            func.ts_headline(english, title, asked, f"{options}HighlightAll=true"),
            func.ts_headline(english, abstract, asked, options + lengths),
        ).where(papers.c.id.in_(row_ids))
    else:
        cut = f"'{_OPEN}', '{_CLOSE}'"
        statement = select(
            _FTS.c.rowid,
            literal_column(f"highlight(papers_fts, 0, {cut})"),
            literal_column(f"snippet(papers_fts, 1, {cut}, '\u2026', {_TEXT_WORDS})"),
        ).where(
            text("papers_fts MATCH :expression").bindparams(expression=expression(wanted)), _FTS.c.rowid.in_(row_ids)
        )
    return {row[0]: (row[1], row[2]) for row in connection.execute(statement)}


def _pieces(marked: str) -> tuple[Piece, ...]:
    """Split a text at its marks."""
    pieces: list[Piece] = []
    for number, part in enumerate(re.split(f"[{_OPEN}{_CLOSE}]", marked)):
        if part:
            pieces.append((part.translate(_BACK), number % 2 == 1))
    return tuple(pieces)
