"""Editions, and the segments of their recipients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from digestmail.errors import StorageError
from digestmail.model.archive import StoredEdition
from digestmail.model.editions import Edition, Segment, Slot
from digestmail.model.selection import Decision, Section
from digestmail.selection.segments import paper_count
from digestmail.storage import papers, upsert
from digestmail.storage.schema import edition_papers, editions, qualified_papers, segment_papers, segments


@cache
def _as_json() -> TypeAdapter[Edition]:
    return TypeAdapter(Edition)


def add(connection: Connection, edition: Edition) -> int | None:
    """Store an edition; return its id, or None if its slot is published or has the same content.

    A recorded empty day is replaced, unless it was sent. Raises StorageError if the digest published one of the papers
    before.
    """
    if _is_mailed(connection, edition):
        return None
    entries = edition.entries
    values = {
        "slot_at": edition.slot.at,
        "composed_at": edition.composed_at,
        "content": _as_json().dump_json(edition).decode(),
        "papers": paper_count(edition),
        "reason": edition.reason,
    }
    statement = upsert.insert(connection, editions).values(
        digest=edition.digest, base=edition.base, slot=edition.slot.key, **values
    )
    has_news = (statement.excluded.papers > 0) | (statement.excluded.reason != editions.c.reason)
    taken = statement.on_conflict_do_update(
        index_elements=["digest", "slot"], set_=values, where=(editions.c.papers == 0) & has_news
    ).returning(editions.c.id)
    edition_id = connection.execute(taken).scalar()
    if edition_id is not None and entries:
        _add_papers(connection, edition, edition_id)
    return edition_id


def _is_mailed(connection: Connection, edition: Edition) -> bool:
    """Return whether the edition of a slot has recipients, so that it cannot change any more."""
    queued = (
        select(segments.c.id)
        .join(editions, editions.c.id == segments.c.edition_id)
        .where(editions.c.digest == edition.digest, editions.c.slot == edition.slot.key)
    )
    return connection.execute(queued.limit(1)).first() is not None


def _add_papers(connection: Connection, edition: Edition, edition_id: int) -> None:
    rows = papers.row_ids(connection, [entry.paper.id for entry in edition.entries])
    try:
        connection.execute(
            insert(edition_papers),
            [
                {
                    "edition_id": edition_id,
                    "paper_id": rows[entry.paper.id],
                    "digest": edition.digest,
                    "position": position,
                    "topic": entry.match.topic if entry.match else None,
                    "score": entry.score.total,
                }
                for position, entry in enumerate(edition.entries, start=1)
            ],
        )
    except IntegrityError as error:
        raise StorageError(f"digest {edition.digest!r} would publish a paper twice") from error


def add_qualified(connection: Connection, edition_id: int, decisions: Iterable[Decision]) -> None:
    """Store the qualified papers among `decisions`, under each topic that they match."""
    qualified = [one for one in decisions if one.outcome.qualified and one.rank is not None]
    rows = papers.row_ids(connection, [one.paper_id for one in qualified])
    values = [
        {"edition_id": edition_id, "topic": topic, "rank": one.rank, "paper_id": rows[one.paper_id]}
        for one in qualified
        for topic in one.topics or ("",)
    ]
    if values:
        connection.execute(insert(qualified_papers), values)


def get(connection: Connection, digest: str, slot: str) -> StoredEdition | None:
    """Return the edition of `digest` for `slot`; None if there is none."""
    return _one(connection, select(editions).where(editions.c.digest == digest, editions.c.slot == slot))


def outcome(connection: Connection, digest: str, slot: str) -> tuple[int, str] | None:
    """Return (papers for all topics, why there are none) of an edition; None if there is none.

    The content, which can be large, is not read.
    """
    columns = select(editions.c.papers, editions.c.reason)
    row = connection.execute(columns.where(editions.c.digest == digest, editions.c.slot == slot)).first()
    return None if row is None else (row.papers, row.reason)


def get_by_id(connection: Connection, edition_id: int) -> StoredEdition:
    """Return the edition with this id. Raises StorageError."""
    found = _one(connection, select(editions).where(editions.c.id == edition_id))
    if found is None:
        raise StorageError(f"there is no edition {edition_id}")
    return found


def is_out(connection: Connection, digest: str, slot: str, slot_at: datetime, horizon: datetime | None = None) -> bool:
    """Return whether the edition of this slot, or of a later one, has papers or was sent, so that it cannot be created.

    Slots after `horizon`, the latest possible time if known, were published with a clock that was ahead, and do not
    count.
    """
    mailed = exists().where(segments.c.edition_id == editions.c.id)
    # Two statements, because with OR the databases read all editions of the digest.
    this, later = editions.c.slot == slot, (editions.c.slot_at >= slot_at) & _up_to(horizon)
    out = select(editions.c.id).where(editions.c.digest == digest, (editions.c.papers > 0) | mailed).limit(1)
    return any(connection.execute(out.where(which)).first() is not None for which in (this, later))


def _up_to(horizon: datetime | None) -> ColumnElement[bool]:
    return true() if horizon is None else editions.c.slot_at <= horizon


def is_first(connection: Connection, digest: str, horizon: datetime | None = None) -> bool:
    """Return whether a digest has no edition, not even an empty one, for any slot up to `horizon`."""
    known = select(editions.c.id).where(editions.c.digest == digest, _up_to(horizon))
    return connection.execute(known.limit(1)).first() is None


def last_slot_at(
    connection: Connection, digest: str, before: datetime, horizon: datetime | None = None
) -> datetime | None:
    """Return when the last slot of `digest` before `before` began that is recorded, published or empty."""
    e = editions.c
    own = e.digest == digest, e.slot_at < before, _up_to(horizon)
    found: datetime | None = connection.execute(
        select(e.slot_at).where(*own).order_by(e.slot_at.desc()).limit(1)
    ).scalar()
    return found


def first_slot_at(connection: Connection, digest: str, before: datetime) -> datetime | None:
    """Return when the first slot of `digest` before `before` began that is recorded, published or empty."""
    e = editions.c
    statement = select(e.slot_at).where(e.digest == digest, e.slot_at < before).order_by(e.slot_at).limit(1)
    found: datetime | None = connection.execute(statement).scalar()
    return found


def recorded_slots(connection: Connection, digest: str, since: datetime, before: datetime) -> frozenset[datetime]:
    """Return when the slots of `digest` from `since` to `before` began that are recorded, published or empty."""
    e = editions.c
    statement = select(e.slot_at).where(e.digest == digest, e.slot_at >= since, e.slot_at < before)
    return frozenset(connection.execute(statement).scalars())


def last_slots(connection: Connection, digest: str, up_to: datetime, limit: int) -> tuple[tuple[Slot, datetime], ...]:
    """Return the last slots up to the one at `up_to` that have an edition with papers, and when it was composed.

    They are in descending order; the content is not read.
    """
    e = editions.c
    statement = (
        select(e.slot_at, e.slot, e.composed_at)
        .where(e.digest == digest, e.slot_at <= up_to, e.papers > 0)
        .order_by(e.slot_at.desc())
        .limit(limit)
    )
    return tuple(
        (Slot(at=row.slot_at, key=row.slot, day=date.fromisoformat(row.slot[:10])), row.composed_at)
        for row in connection.execute(statement)
    )


def latest(connection: Connection, digest: str, before: datetime | None = None) -> StoredEdition | None:
    """Return the last edition of `digest` with papers, before the slot at `before` if given."""
    statement = select(editions).where(editions.c.digest == digest, editions.c.papers > 0)
    if before is not None:
        statement = statement.where(editions.c.slot_at < before)
    return _one(connection, statement.order_by(editions.c.slot_at.desc()).limit(1))


def last_sent_at(connection: Connection, digest: str, before: datetime) -> datetime | None:
    """Return when the last edition of `digest` before the slot at `before` was composed that has papers or recipients.

    An edition may have recipients without papers: readers for whom papers were picked.
    """
    mailed = exists().where(segments.c.edition_id == editions.c.id)
    statement = select(editions.c.composed_at).where(editions.c.digest == digest, editions.c.slot_at < before)
    sent = statement.where((editions.c.papers > 0) | mailed).order_by(editions.c.slot_at.desc()).limit(1)
    found: datetime | None = connection.execute(sent).scalar()
    return found


def lock_unsent(connection: Connection, digest: str, slot: str) -> int | None:
    """Return the id of an edition without recipients, locked until the transaction ends; None if there is none."""
    own = editions.c.digest == digest, editions.c.slot == slot
    found: int | None = connection.execute(select(editions.c.id).where(*own).with_for_update()).scalar()
    mailed = select(segments.c.id).where(segments.c.edition_id == found).limit(1)
    return None if found is None or connection.execute(mailed).first() is not None else found


def list_editions(connection: Connection, digest: str | None = None, limit: int = 50) -> tuple[StoredEdition, ...]:
    """Return the last editions, newest first, including empty ones."""
    statement = select(editions).order_by(editions.c.slot_at.desc(), editions.c.digest).limit(limit)
    if digest is not None:
        statement = statement.where(editions.c.digest == digest)
    return tuple(_stored(row) for row in connection.execute(statement))


def composed_since(connection: Connection, digest: str, since: datetime) -> dict[datetime, datetime]:
    """Return when the editions of a digest were composed, by the start of their slot, for slots from `since`."""
    e = editions.c
    statement = select(e.slot_at, e.composed_at).where(e.digest == digest, e.slot_at >= since, e.papers > 0)
    return {row.slot_at: row.composed_at for row in connection.execute(statement)}


def _one(connection: Connection, statement: Select[Any]) -> StoredEdition | None:
    row = connection.execute(statement).first()
    return _stored(row) if row else None


def _stored(row: Row[Any]) -> StoredEdition:
    return StoredEdition(id=row.id, edition=_as_json().validate_json(row.content))


def set_recipients(connection: Connection, edition_id: int, recipients: int) -> None:
    """Store how many deliveries were queued for an edition, which their states must add up to."""
    connection.execute(update(editions).where(editions.c.id == edition_id).values(recipients=recipients))


def add_recipients(connection: Connection, edition_id: int, more: int) -> None:
    """Count more deliveries that were queued for an edition."""
    known = func.coalesce(editions.c.recipients, 0)
    connection.execute(update(editions).where(editions.c.id == edition_id).values(recipients=known + more))


def add_segment(
    connection: Connection,
    edition_id: int,
    topics: Sequence[str],
    sections: Sequence[Section],
    language: str | None = None,
) -> int:
    """Store a segment with its sections; return its id. `language` None means the digest's."""
    paper_ids = [entry.paper.id for section in sections for entry in section.entries]
    more = [[section.topic, section.more] for section in sections if section.more]
    values = {"edition_id": edition_id, "topics": list(topics), "language": language, "more": more}
    made = insert(segments).values(values).returning(segments.c.id)
    segment_id = int(connection.execute(made).scalar_one())
    rows = papers.row_ids(connection, paper_ids)
    if paper_ids:
        connection.execute(
            insert(segment_papers),
            [{"segment_id": segment_id, "paper_id": rows[paper_id]} for paper_id in paper_ids],
        )
    return segment_id


def segment(connection: Connection, segment_id: int) -> Segment:
    """Return a segment with its papers in the edition's order. Raises StorageError."""
    row = connection.execute(select(segments).where(segments.c.id == segment_id)).first()
    if row is None:
        raise StorageError(f"there is no segment {segment_id}")
    entries = get_by_id(connection, row.edition_id).edition.entries
    # By position, because a paper may have a new id, or may have been merged with another of the same edition.
    positions = (
        select(edition_papers.c.position)
        .join(segment_papers, segment_papers.c.paper_id == edition_papers.c.paper_id)
        .where(segment_papers.c.segment_id == segment_id, edition_papers.c.edition_id == row.edition_id)
        .order_by(edition_papers.c.position)
    )
    return Segment(
        id=segment_id,
        edition_id=row.edition_id,
        topics=tuple(row.topics),
        more=tuple((topic, papers) for topic, papers in row.more),
        language=row.language,
        paper_ids=tuple(entries[position - 1].paper.id for position in connection.execute(positions).scalars()),
    )
