"""The embeddings of papers, one for each paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from digestmail.storage.schema import paper_embeddings, papers
from digestmail.storage.topic_models import USABLE
from digestmail.storage.upsert import insert


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A paper that has no embedding by a model."""

    row_id: int
    title: str
    abstract: str


def without_embedding(connection: Connection, model: str, most: int) -> list[Unembedded]:
    """Return the newest papers without an embedding by `model`, at most `most`, newest first."""
    p, e = papers.c, paper_embeddings.c
    joined = papers.outerjoin(paper_embeddings, (e.paper_id == p.id) & (e.model == model))
    statement = select(p.id, p.title, p.abstract).select_from(joined).where(USABLE, e.paper_id.is_(None))
    rows = connection.execute(statement.order_by(p.id.desc()).limit(most))
    return [Unembedded(row.id, row.title, row.abstract) for row in rows]


def store(connection: Connection, model: str, vectors: Sequence[tuple[int, bytes]]) -> None:
    """Store vectors (row id of the paper, little-endian 16-bit floats), in place of those by other models.

    An empty vector records that the endpoint refused the text. Vectors by the same model with another number of
    dimensions are removed: a different model answers to its name now.
    """
    if not vectors:
        return
    e = paper_embeddings.c
    if sizes := {len(vector) for _, vector in vectors if vector}:
        other_size = func.length(e.vector).not_in(sorted(sizes | {0}))
        connection.execute(delete(paper_embeddings).where(e.model == model, other_size))
    statement = insert(connection, paper_embeddings)
    replaced = statement.on_conflict_do_update(
        index_elements=["paper_id"], set_={"model": statement.excluded.model, "vector": statement.excluded.vector}
    )
    connection.execute(replaced, [{"paper_id": row_id, "model": model, "vector": vector} for row_id, vector in vectors])


def count(connection: Connection, model: str, most: int) -> int:
    """Return how many of the newest `most` papers that topics are learned from have a vector by `model`."""
    e = paper_embeddings.c
    recent = select(papers.c.id).where(USABLE).order_by(papers.c.id.desc()).limit(most).subquery()
    joined = recent.join(paper_embeddings, (e.paper_id == recent.c.id) & (e.model == model))
    statement = select(func.count()).select_from(joined).where(func.length(e.vector) > 0)
    return connection.execute(statement).scalar_one()


def newest(connection: Connection, model: str, most: int) -> list[bytes]:
    """Return the vectors of the same papers, in the same order, as `topic_models.newest_texts`; empty if unknown."""
    p, e = papers.c, paper_embeddings.c
    joined = papers.outerjoin(paper_embeddings, (e.paper_id == p.id) & (e.model == model))
    statement = select(p.id, e.vector).select_from(joined).where(USABLE).order_by(p.id.desc()).limit(most)
    return [bytes(row.vector or b"") for row in connection.execute(statement)][::-1]


def vectors_of(connection: Connection, row_ids: Sequence[int]) -> dict[int, bytes]:
    """Return the vectors of papers by row, as far as they are by the same model as that of the first paper."""
    e = paper_embeddings.c
    rows = connection.execute(select(e.paper_id, e.model, e.vector).where(e.paper_id.in_(row_ids))).all()
    model = next((row.model for row in rows if row.paper_id == row_ids[0]), None)
    return {row.paper_id: bytes(row.vector) for row in rows if row.model == model}


def drop(connection: Connection, row_id: int) -> None:
    """Remove the vector of the paper in this row, which was merged into another."""
    connection.execute(delete(paper_embeddings).where(paper_embeddings.c.paper_id == row_id))
