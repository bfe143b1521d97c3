"""Feedback: which papers a subscriber wants more or fewer of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from digestmail.model.digests import VARIANT_MARK
from digestmail.model.editions import KEY_MARK
from digestmail.model.papers import Paper, PaperId
from digestmail.model.subscribers import Feedback
from digestmail.storage import paper_rows
from digestmail.storage.schema import edition_papers, editions, feedback, papers
from digestmail.storage.upsert import insert


def find_paper(connection: Connection, digest: str, slot: str, position: int) -> tuple[int, Paper] | None:
    """Return (row, paper) of the paper at `position` (from 1) of an edition, as it is known today; None if none.

    `slot` is the edition's `key`, which names its variant.
    """
    key, mark, variant = slot.partition(KEY_MARK)
    name = f"{digest}{VARIANT_MARK}{variant}" if mark else digest
    row_id = connection.execute(
        select(func.coalesce(papers.c.merged_into, papers.c.id))
        .join(edition_papers, edition_papers.c.paper_id == papers.c.id)
        .join(editions, editions.c.id == edition_papers.c.edition_id)
        .where(editions.c.digest == name, editions.c.slot == key, edition_papers.c.position == position)
    ).scalar()
    return None if row_id is None else next(paper_rows.load(connection, [row_id]))


def find(connection: Connection, subscriber_id: int, row_id: int) -> bool | None:
    """Return whether a subscriber liked the paper in this row; None without an answer."""
    liked = select(feedback.c.liked).where(feedback.c.subscriber_id == subscriber_id, feedback.c.paper_id == row_id)
    found: bool | None = connection.execute(liked).scalar()
    return found


def store(connection: Connection, subscriber_id: int, row_id: int, now: datetime, *, liked: bool) -> None:
    """Store an answer about the paper in this row. It replaces an earlier one."""
    statement = insert(connection, feedback).values(
        subscriber_id=subscriber_id, paper_id=_staying(connection, row_id), liked=liked, given_at=now
    )
    replaced = {"liked": liked, "given_at": now}
    connection.execute(statement.on_conflict_do_update(index_elements=["subscriber_id", "paper_id"], set_=replaced))


def _staying(connection: Connection, row_id: int) -> int:
    """Return the row of a paper under a lock, so that the paper is not merged until the transaction ends."""
    while True:
        merged_into = connection.execute(
            select(papers.c.merged_into).where(papers.c.id == row_id).with_for_update(read=True)
        ).scalar_one()
        if merged_into is None:
            return row_id
        row_id = merged_into


def remove(connection: Connection, subscriber_id: int, row_id: int) -> bool:
    """Delete an answer; return whether there was one."""
    f = feedback.c
    mine = delete(feedback).where(f.subscriber_id == subscriber_id, f.paper_id == _staying(connection, row_id))
    return bool(connection.execute(mine).rowcount)


def of(connection: Connection, subscriber_id: int) -> tuple[Feedback, ...]:
    """Return the answers of a subscriber, latest first."""
    rows = connection.execute(
        select(papers.c.key, papers.c.title, feedback.c.liked, feedback.c.given_at)
        .join(feedback, feedback.c.paper_id == papers.c.id)
        .where(feedback.c.subscriber_id == subscriber_id)
        .order_by(feedback.c.given_at.desc(), papers.c.id)
    )
    return tuple(
        Feedback(paper_id=PaperId(row.key), title=row.title, liked=row.liked, given_at=row.given_at) for row in rows
    )


def move(connection: Connection, old: int, new: int) -> None:
    """Move the answers about the paper in row `old` to row `new`. Of two by the same person, the later one stays."""
    ours, theirs = feedback.alias(), feedback.alias()
    both = (
        select(theirs.c.subscriber_id, (theirs.c.given_at > ours.c.given_at).label("replaces"))
        .join(ours, ours.c.subscriber_id == theirs.c.subscriber_id)
        .where(theirs.c.paper_id == old, ours.c.paper_id == new)
    )
    for row in connection.execute(both).all():
        lost = feedback.c.paper_id == (new if row.replaces else old)
        connection.execute(delete(feedback).where(feedback.c.subscriber_id == row.subscriber_id, lost))
    connection.execute(update(feedback).where(feedback.c.paper_id == old).values(paper_id=new))
