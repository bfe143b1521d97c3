"""Feedback: which papers a subscriber wants more or fewer of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Integer, delete, func, literal, select, update

from digestmail.model.editions import digest_and_slot
from digestmail.model.papers import Paper, PaperId
from digestmail.model.personal import KnownPaper, Opinion
from digestmail.model.subscribers import Feedback, SubscriberState
from digestmail.storage import paper_rows
from digestmail.storage.schema import (
    edition_papers,
    editions,
    feedback,
    papers,
    subscribers,
    subscriptions,
)
from digestmail.storage.upsert import chunks, insert


def find_paper(connection: Connection, digest: str, slot: str, position: int) -> tuple[int, Paper] | None:
    """Return (row, paper) of the paper at `position` (from 1) of an edition, as it is known today; None if none.

    `slot` is the edition's `key`, which names its variant.
    """
    name, slot_key = digest_and_slot(digest, slot)
    row_id = connection.execute(
        select(func.coalesce(papers.c.merged_into, papers.c.id))
        .join(edition_papers, edition_papers.c.paper_id == papers.c.id)
        .join(editions, editions.c.id == edition_papers.c.edition_id)
        # Positions of papers that the edition does not contain may be too large for the type of the column.
        .where(editions.c.digest == name, editions.c.slot == slot_key)
        .where(edition_papers.c.position == literal(position, Integer))
    ).scalar()
    return None if row_id is None else next(paper_rows.load(connection, [row_id]))


def any_stored(connection: Connection) -> bool:
    """Return whether any subscriber gave feedback."""
    return connection.execute(select(feedback.c.paper_id).limit(1)).first() is not None


def raters_in_range(connection: Connection, first_id: int, last_id: int) -> frozenset[int]:
    """Return the subscribers with an id between these two who gave feedback."""
    f = feedback.c
    rated = select(f.subscriber_id).where(f.subscriber_id.between(first_id, last_id)).distinct()
    return frozenset(connection.execute(rated).scalars())


def opinions(connection: Connection, subscriber_ids: Sequence[int]) -> dict[int, tuple[Opinion, ...]]:
    """Return the feedback of each of these subscribers who gave any, by id."""
    f = feedback.c
    found: dict[int, list[Opinion]] = {}
    for some in chunks(subscriber_ids):
        rows = select(f.subscriber_id, f.paper_id, f.liked, f.given_at).where(f.subscriber_id.in_(some))
        for row in connection.execute(rows.order_by(f.subscriber_id, f.paper_id)):
            opinion = Opinion(row_id=row.paper_id, liked=row.liked, given_at=row.given_at)
            found.setdefault(row.subscriber_id, []).append(opinion)
    return {subscriber_id: tuple(given) for subscriber_id, given in found.items()}


def rated_papers(connection: Connection, digest: str, most: int) -> dict[int, KnownPaper]:
    """Return the texts of papers that active subscribers of `digest` gave feedback on, by row; the `most` newest."""
    raters = (
        select(feedback.c.paper_id)
        .join(subscribers, subscribers.c.id == feedback.c.subscriber_id)
        .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
        .where(subscriptions.c.digest == digest, subscribers.c.state == SubscriberState.ACTIVE)
    )
    rows = connection.execute(
        select(papers.c.id, papers.c.title, papers.c.abstract)
        .where(papers.c.id.in_(raters))
        .order_by(papers.c.id.desc())
        .limit(most)
    )
    return {row.id: KnownPaper(title=row.title, abstract=row.abstract) for row in rows}


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
