"""Reading lists: where the papers that a reader knows come from, what was read, and what is due for reading.

Transactions that change a list lock its subscriber first, as an erasure does. If the subscriber or the list no longer
exists, nothing is stored.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, exists, func, insert, or_, select, update

from digestmail.model.papers import PaperId
from digestmail.model.personal import KnownPaper, ReadingList, ReadingListKind
from digestmail.model.subscribers import SubscriberState
from digestmail.schedule.moments import SKEW
from digestmail.storage import papers, subscribers
from digestmail.storage.schema import reading_list_papers, reading_lists
from digestmail.storage.schema import subscribers as people

MOST_LISTS: Final = 5
"""The number of lists that a reader can have. The verb that adds one checks it."""
MOST_IN_LIST: Final = 500
"""The number of papers that are kept of one list."""
MOST_IN_ALL: Final = 2_000
"""The number of papers that are kept of all lists of one reader."""


def of(connection: Connection, subscriber_id: int | None) -> tuple[ReadingList, ...]:
    """Return the lists of a reader, or those of the configuration (None), oldest first."""
    statement = _lists().where(_owned_by(subscriber_id)).order_by(reading_lists.c.id)
    return tuple(_from_row(row) for row in connection.execute(statement))


def papers_of(connection: Connection, list_id: int) -> tuple[KnownPaper, ...]:
    """Return the papers of a list in their order."""
    p = reading_list_papers.c
    rows = connection.execute(select(p.title, p.abstract).where(p.list_id == list_id).order_by(p.number))
    return tuple(KnownPaper(title=row.title, abstract=row.abstract) for row in rows)


def add(
    connection: Connection,
    subscriber_id: int | None,
    kind: ReadingListKind,
    reference: str,
    known: Sequence[KnownPaper],
    now: datetime,
    *,
    complete: bool = False,
) -> int:
    """Add a list and the papers that are known of it; return its id. It counts as read if they are `complete`.

    The caller holds the lock of the subscriber.
    """
    read_at = now if complete else None
    values = {"subscriber_id": subscriber_id, "kind": kind, "reference": reference, "added_at": now}
    statement = insert(reading_lists).values(read_at=read_at, tried_at=read_at, **values)
    list_id = int(connection.execute(statement.returning(reading_lists.c.id)).scalar_one())
    _replace_papers(connection, list_id, subscriber_id, known)
    return list_id


def remove(connection: Connection, subscriber_id: int, list_id: int) -> bool:
    """Remove a list of a reader and its papers; return whether they had it."""
    mine = delete(reading_lists).where(reading_lists.c.id == list_id, _owned_by(subscriber_id))
    return bool(connection.execute(mine).rowcount)


def remove_all(connection: Connection, subscriber_id: int) -> int:
    """Remove all lists of a reader and their papers; return how many there were."""
    return connection.execute(delete(reading_lists).where(_owned_by(subscriber_id))).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Sooner:
    """Which lists that could not be read are due before the others."""

    tried_before: datetime
    read_since: datetime
    """When they were last read, or else added, at the earliest. Others have failed for too long."""


def due(
    connection: Connection, before: datetime, most: int, *, now: datetime, failed: Sooner | None = None
) -> tuple[ReadingList, ...]:
    """Return the lists that were not tried since `before`, at most `most`, those that waited longest first.

    Lists that could not be read may be due sooner. Never due are files and lists of readers who are not subscribed;
    arXiv ids are only until they were read. A list that was tried after `now`, by a clock that was ahead, is due.
    """
    li = reading_lists.c
    waiting = or_(li.tried_at.is_(None), li.tried_at <= before, li.tried_at > now + SKEW)
    if failed is not None:
        was_read = func.coalesce(li.read_at, li.added_at) >= failed.read_since
        waiting |= and_(li.problem.is_not(None), li.tried_at <= failed.tried_before, was_read)
    fetched = li.kind.not_in([ReadingListKind.FILE, ReadingListKind.ARXIV_IDS]) | (
        (li.kind == ReadingListKind.ARXIV_IDS) & li.read_at.is_(None)
    )
    of_active = exists().where(people.c.id == li.subscriber_id, people.c.state == SubscriberState.ACTIVE)
    order = (li.tried_at.is_not(None), li.tried_at, li.id)
    # Papers are counted only for the lists that are returned.
    found = select(li.id).where(waiting, fetched, li.subscriber_id.is_(None) | of_active).order_by(*order).limit(most)
    statement = _lists().where(li.id.in_(found)).order_by(*order)
    return tuple(_from_row(row) for row in connection.execute(statement))


def record_reading(
    connection: Connection, list_id: int, known: Sequence[KnownPaper], now: datetime, *, validator: str = ""
) -> bool:
    """Replace the papers of a list by those that a complete reading found; return whether the list still exists."""
    exists, owner = _lock(connection, list_id)
    if exists:
        _replace_papers(connection, list_id, owner, known)
        _set(connection, list_id, read_at=now, tried_at=now, problem=None, validator=validator or None)
    return exists


def record_unchanged(connection: Connection, list_id: int, now: datetime) -> bool:
    """Record that a list has not changed since it was read; return whether the list still exists."""
    exists, _ = _lock(connection, list_id)
    if exists:
        _set(connection, list_id, tried_at=now, problem=None)
    return exists


def record_failure(connection: Connection, list_id: int, problem: str, now: datetime) -> bool:
    """Record why a list could not be read, and keep its papers; return whether the list still exists."""
    exists, _ = _lock(connection, list_id)
    if exists:
        _set(connection, list_id, tried_at=now, problem=problem)
    return exists


def sync_operator_lists(
    connection: Connection, wanted: Collection[tuple[ReadingListKind, str]], now: datetime
) -> tuple[ReadingList, ...]:
    """Make the lists of the configuration those in `wanted`, each (kind, reference); return them, oldest first.

    Lists that stay keep their papers. The ones that are not in `wanted`, which includes files, are removed.
    """
    present = {(one.kind, one.reference): one.id for one in of(connection, None)}
    gone = [list_id for key, list_id in present.items() if key not in wanted]
    connection.execute(delete(reading_lists).where(reading_lists.c.id.in_(gone)))
    for kind, reference in dict.fromkeys(wanted):
        if (kind, reference) not in present:
            known, complete = known_papers(connection, kind, reference)
            add(connection, None, kind, reference, known, now, complete=complete)
    return of(connection, None)


def known_papers(connection: Connection, kind: ReadingListKind, reference: str) -> tuple[tuple[KnownPaper, ...], bool]:
    """Return the papers of a new list that are stored as papers, and whether these are all of them."""
    if kind is not ReadingListKind.ARXIV_IDS:
        return (), False
    wanted = [PaperId(f"arxiv:{one}") for one in reference.split()]
    found = stored_papers(connection, wanted)
    return tuple(found[one] for one in wanted if one in found), len(found) == len(wanted)


def stored_papers(connection: Connection, paper_ids: Collection[PaperId]) -> dict[PaperId, KnownPaper]:
    """Return the papers among `paper_ids` that are stored, as papers of a reading list."""
    found = papers.by_ids(connection, paper_ids)
    return {key: KnownPaper(title=paper.title, abstract=paper.abstract) for key, paper in found.items()}


def with_abstracts(
    connection: Connection, known: Sequence[KnownPaper], ids: Sequence[Sequence[PaperId]]
) -> tuple[KnownPaper, ...]:
    """Return papers with the abstracts that they lack, if the paper with one of their `ids` is stored here."""
    wanted = {paper_id for paper, own in zip(known, ids, strict=True) if not paper.abstract for paper_id in own}
    stored = stored_papers(connection, wanted) if wanted else {}
    return tuple(
        replace(paper, abstract=paper.abstract or next((stored[one].abstract for one in own if one in stored), ""))
        for paper, own in zip(known, ids, strict=True)
    )


def _owned_by(subscriber_id: int | None) -> ColumnElement[bool]:
    owner = reading_lists.c.subscriber_id
    return owner.is_(None) if subscriber_id is None else owner == subscriber_id


def _lists() -> Select[Any]:
    count = select(func.count()).where(reading_list_papers.c.list_id == reading_lists.c.id).scalar_subquery()
    return select(reading_lists, count.label("papers"))


def _from_row(row: Row[Any]) -> ReadingList:
    return ReadingList(
        id=row.id,
        subscriber_id=row.subscriber_id,
        kind=ReadingListKind(row.kind),
        reference=row.reference,
        added_at=row.added_at,
        papers=row.papers,
        read_at=row.read_at,
        tried_at=row.tried_at,
        problem=row.problem,
        validator=row.validator,
    )


def _lock(connection: Connection, list_id: int) -> tuple[bool, int | None]:
    """Lock the subscriber of a list, then the list; return whether it exists, and the subscriber."""
    mine = select(reading_lists.c.subscriber_id).where(reading_lists.c.id == list_id)
    found = connection.execute(mine).one_or_none()
    if found is not None and found.subscriber_id is not None:
        subscribers.lock(connection, found.subscriber_id)
    locked = connection.execute(mine.with_for_update()).one_or_none()
    return locked is not None, locked.subscriber_id if locked is not None else None


def _replace_papers(
    connection: Connection, list_id: int, subscriber_id: int | None, known: Sequence[KnownPaper]
) -> None:
    """Replace the papers of a list by the first of `known`, as many as the limits allow."""
    li, p = reading_lists.c, reading_list_papers.c
    connection.execute(delete(reading_list_papers).where(p.list_id == list_id))
    most = MOST_IN_LIST
    if subscriber_id is not None:
        joined = reading_list_papers.join(reading_lists, p.list_id == li.id)
        count = select(func.count()).select_from(joined).where(li.subscriber_id == subscriber_id)
        most = min(most, MOST_IN_ALL - connection.execute(count).scalar_one())
    rows = [
        {"list_id": list_id, "number": number, "title": one.title, "abstract": one.abstract}
        for number, one in enumerate(known[: max(most, 0)], 1)
    ]
    if rows:
        connection.execute(insert(reading_list_papers), rows)


def _set(connection: Connection, list_id: int, **values: Any) -> None:
    connection.execute(update(reading_lists).where(reading_lists.c.id == list_id).values(**values))
