"""Which papers subscribers received in earlier emails, or will receive: in sections or as picks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, LargeBinary, Row, Select, Text, column, select, text

from digestmail.model.deliveries import DeliveryState
from digestmail.model.digests import Digest
from digestmail.model.papers import PaperId
from digestmail.storage import papers, picks
from digestmail.storage import schema as tables
from digestmail.storage.schema import deliveries, editions, picked_papers, segment_papers, segments
from digestmail.storage.upsert import chunks

_CHUNK = 5000
_NOT_RECEIVED = (DeliveryState.FAILED, DeliveryState.CANCELLED)
# Columns of `deliveries` without their table, whose name needs a hint for SQLite.
_EDITION: Any = column("edition_id", Integer)
_SUBSCRIBER: ColumnElement[Any] = column("subscriber_id", Integer)
_PICKS: ColumnElement[Any] = column("picks", LargeBinary)
_STATE: ColumnElement[Any] = column("state", Text)
Received = tuple[int, frozenset[PaperId]]
"""(subscriber id, papers of one email)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The emails that contain any of some papers."""

    segments: Mapping[int, frozenset[PaperId]]
    """By segment id: which of the papers it contains."""
    editions: frozenset[int]
    """The editions of these segments."""
    picks: Mapping[int, Mapping[int, PaperId]]
    """By edition id and position: which of the papers were picked for some readers."""


def earlier(
    connection: Connection, paper_ids: Collection[PaperId], digest: Digest, edition_id: int | None = None
) -> Earlier:
    """Return the emails with any of the papers, whose readers must not get these papers again from `digest`.

    That is sections of other digests, and picks of any digest. Variants of the same base digest are other digests.
    Digests that `digest` may repeat do not count, nor do their variants, nor its own edition `edition_id`.
    """
    by_row = {row_id: paper_id for paper_id, row_id in papers.row_ids(connection, paper_ids).items()}
    repeated = [name for name in digest.allow_repeats_of if name != digest.base]
    in_segments: dict[int, set[PaperId]] = {}
    found: set[int] = set()
    picked: dict[int, dict[int, PaperId]] = {}
    for some in chunks(sorted(by_row)):
        for row in connection.execute(_segments(some, digest.name, repeated)):
            in_segments.setdefault(row.segment_id, set()).add(by_row[row.stays])
            found.add(row.edition_id)
        for row in connection.execute(_picks(some, repeated)):
            if row.edition_id != edition_id:
                picked.setdefault(row.edition_id, {})[row.position] = by_row[row.stays]
    return Earlier(
        segments={segment_id: frozenset(held) for segment_id, held in in_segments.items()},
        editions=frozenset(found),
        picks=picked,
    )


def is_given(connection: Connection, base: str, paper_ids: Collection[PaperId]) -> bool:
    """Return whether an email of the digest `base` or its variants has one of these papers, in a section or picked."""
    row_ids = list(papers.row_ids(connection, paper_ids).values())
    in_section = (
        select(segment_papers.c.segment_id)
        .join(segments, segments.c.id == segment_papers.c.segment_id)
        .join(editions, editions.c.id == segments.c.edition_id)
        .join(tables.papers, tables.papers.c.id == segment_papers.c.paper_id)
        .where(editions.c.base == base, _is_one_of(row_ids))
    )
    picked = (
        select(picked_papers.c.edition_id)
        .join(editions, editions.c.id == picked_papers.c.edition_id)
        .join(tables.papers, tables.papers.c.id == picked_papers.c.paper_id)
        .where(editions.c.base == base, _is_one_of(row_ids))
    )
    return any(connection.execute(found.limit(1)).first() is not None for found in (in_section, picked))


def _segments(row_ids: Sequence[int], digest: str, exclude: Sequence[str]) -> Select[Any]:
    return (
        select(segment_papers.c.segment_id, segments.c.edition_id, papers.staying_row().label("stays"))
        .join(tables.papers, tables.papers.c.id == segment_papers.c.paper_id)
        .join(segments, segments.c.id == segment_papers.c.segment_id)
        .join(editions, editions.c.id == segments.c.edition_id)
        .where(editions.c.digest != digest, editions.c.base.not_in(exclude), _is_one_of(row_ids))
    )


def _picks(row_ids: Sequence[int], exclude: Sequence[str]) -> Select[Any]:
    return (
        select(picked_papers.c.edition_id, picked_papers.c.position, papers.staying_row().label("stays"))
        .join(tables.papers, tables.papers.c.id == picked_papers.c.paper_id)
        .join(editions, editions.c.id == picked_papers.c.edition_id)
        .where(editions.c.base.not_in(exclude), _is_one_of(row_ids))
    )


def _is_one_of(row_ids: Sequence[int]) -> ColumnElement[bool]:
    return tables.papers.c.id.in_(row_ids) | tables.papers.c.merged_into.in_(row_ids)


def of_everyone(connection: Connection, before: Earlier, readers: Select[Any] | None = None) -> Iterator[Received]:
    """Yield which of the papers each subscriber received, by subscriber id, an email at a time; or only `readers`.

    Each edition is read in key order, so the cost does not depend on the number of other editions.
    """
    streams = [_of_segments(connection, edition_id, before.segments, readers) for edition_id in sorted(before.editions)]
    streams += [_of_picks(connection, one, positions, readers) for one, positions in sorted(before.picks.items())]
    yield from merge(*streams, key=itemgetter(0))


def of(connection: Connection, subscriber_id: int, before: Earlier) -> frozenset[PaperId]:
    """Return which of the papers a subscriber received or will receive, by delivery key, edition by edition."""
    d = deliveries.c
    found: set[PaperId] = set()
    for some in chunks(sorted(before.editions | before.picks.keys())):
        rows = connection.execute(
            select(d.edition_id, d.segment_id, d.picks, d.state).where(
                d.edition_id.in_(some), d.subscriber_id == subscriber_id
            )
        )
        for row in rows:
            if row.state not in _NOT_RECEIVED:
                found |= before.segments.get(row.segment_id, frozenset())
                found |= _picked(row.picks, before.picks.get(row.edition_id, {}))
    return frozenset(found)


def _of_segments(
    connection: Connection, edition_id: int, wanted: Mapping[int, frozenset[PaperId]], readers: Select[Any] | None
) -> Iterator[Received]:
    statement = select(_SUBSCRIBER, column("segment_id"), _STATE).select_from(deliveries)
    for row in _recipients(connection, statement.where(edition_id == _EDITION), readers):
        if row.segment_id in wanted:
            yield row.subscriber_id, wanted[row.segment_id]


def _of_picks(
    connection: Connection, edition_id: int, positions: Mapping[int, PaperId], readers: Select[Any] | None
) -> Iterator[Received]:
    # SQLite would prefer the primary key, and read all deliveries of the edition.
    hint = " INDEXED BY ix_deliveries_picked" if connection.dialect.name == "sqlite" else ""
    statement = select(_SUBSCRIBER, _PICKS, _STATE).select_from(text(f"deliveries{hint}"))
    for row in _recipients(connection, statement.where(edition_id == _EDITION, _PICKS.is_not(None)), readers):
        if found := _picked(row.picks, positions):
            yield row.subscriber_id, found


def _picked(packed: bytes | None, positions: Mapping[int, PaperId]) -> frozenset[PaperId]:
    return frozenset(positions[position] for position, _ in picks.unpack(packed) if position in positions)


def _recipients(connection: Connection, statement: Select[Any], readers: Select[Any] | None) -> Iterator[Row[Any]]:
    """Yield the rows of those who received an edition, by subscriber id, in pages."""
    ordered = statement.order_by(_SUBSCRIBER).limit(_CHUNK)
    if readers is not None:
        ordered = ordered.where(_SUBSCRIBER.in_(readers))
    last = 0
    while True:
        page = connection.execute(ordered.where(last < _SUBSCRIBER)).all()
        yield from (row for row in page if row.state not in _NOT_RECEIVED)
        if len(page) < _CHUNK:
            return
        last = page[-1].subscriber_id
