"""Under which topics papers qualified for editions; `storage/paper_lists.py` lists them."""

from __future__ import annotations

from sqlalchemy import Connection, func, select, update

from digestmail.storage.schema import qualified_papers

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


def counts(connection: Connection, edition_id: int) -> dict[str, int]:
    """Return how many papers qualified for an edition under each topic."""
    statement = select(_Q.topic, func.count().label("papers")).where(_Q.edition_id == edition_id).group_by(_Q.topic)
    return {row.topic: row.papers for row in connection.execute(statement)}


def total(connection: Connection, edition_id: int) -> int:
    """Return how many papers qualified for an edition."""
    statement = select(func.count(func.distinct(_Q.rank))).where(_Q.edition_id == edition_id)
    return connection.execute(statement).scalar_one()
