"""Under which topics papers qualified for editions; `storage/paper_lists.py` lists them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from digestmail.storage.schema import editions, qualified_papers

_Q = qualified_papers.c


def move(connection: Connection, old: int, new: int) -> None:
    """Point what is stored about the paper in row `old` to row `new`, with which it was merged."""
    under = _Q.topic.in_(topics(connection)) & (_Q.paper_id == old)
    connection.execute(update(qualified_papers).where(under).values(paper_id=new))


def topics(connection: Connection) -> tuple[str, ...]:
    """Return every topic under which papers qualified, including former topics, sorted; the empty one comes first.

    It jumps from one topic to the next in the index. DISTINCT would read every row.
    """
    each = select(func.min(_Q.topic).label("topic")).cte("topics", recursive=True)
    following = select(func.min(_Q.topic)).where(_Q.topic > each.c.topic).scalar_subquery()
    each = each.union_all(select(following).where(each.c.topic.is_not(None)))
    return tuple(connection.execute(select(each.c.topic).where(each.c.topic.is_not(None))).scalars())


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualified:
    """Where a paper stood among those that qualified for an edition."""

    edition_id: int
    rank: int
    """Among all papers that qualified, 1 is the best."""
    places: tuple[tuple[str, int], ...]
    """The topics that it matched, each with its place among the papers under it; "" if it matched none."""


def last_of(connection: Connection, digest: str, row_id: int) -> Qualified | None:
    """Return where the paper in this row stood in the last edition of a digest that it qualified for."""
    e = editions.c
    # By topic, because the index begins with it.
    own = _Q.topic.in_(topics(connection)), _Q.paper_id == row_id
    rows = connection.execute(
        select(_Q.edition_id, _Q.topic, _Q.rank, e.slot_at)
        .join(editions, e.id == _Q.edition_id)
        .where(*own, e.digest == digest)
        .order_by(e.slot_at.desc(), _Q.edition_id.desc(), _Q.topic)
    ).all()
    if not rows:
        return None
    edition_id, rank = rows[0].edition_id, rows[0].rank
    named = [row.topic for row in rows if row.edition_id == edition_id]
    before = select(_Q.topic, func.count().label("place")).where(_Q.edition_id == edition_id, _Q.rank <= rank)
    places = dict(tuple(row) for row in connection.execute(before.where(_Q.topic.in_(named)).group_by(_Q.topic)))
    return Qualified(edition_id=edition_id, rank=rank, places=tuple((name, places[name]) for name in named))


def counts(connection: Connection, edition_id: int) -> dict[str, int]:
    """Return how many papers qualified for an edition under each topic."""
    statement = select(_Q.topic, func.count().label("papers")).where(_Q.edition_id == edition_id).group_by(_Q.topic)
    return {row.topic: row.papers for row in connection.execute(statement)}


def total(connection: Connection, edition_id: int) -> int:
    """Return how many papers qualified for an edition."""
    statement = select(func.count(func.distinct(_Q.rank))).where(_Q.edition_id == edition_id)
    return connection.execute(statement).scalar_one()
