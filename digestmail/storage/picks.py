"""The papers that were picked for single readers of an edition: the section "For you" of their emails.

A delivery holds its picks as a packed array, in order: for each one, the position of the paper in the edition and the
number of the reason. Papers and reasons are stored once for each edition. Small numbers take fewer octets (unsigned
LEB128, DWARF 5, section 7.6).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, insert, select

from digestmail.model.editions import Edition, digest_and_slot
from digestmail.model.papers import Paper, PaperId
from digestmail.model.personal import PickKind, PickReason
from digestmail.model.selection import Entry, PersonalSection
from digestmail.storage import paper_rows, papers, schema
from digestmail.storage.schema import deliveries, editions, pick_reasons, picked_papers
from digestmail.storage.upsert import chunks

_MORE: Final = 0x80
"""Marks octets of a number that are not its last one."""
_EDITIONS_AT_ONCE: Final = 50
_MOST_REASONS: Final = 20_000
"""Of one edition in memory."""


@cache
def _as_json() -> TypeAdapter[Entry]:
    return TypeAdapter(Entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReason:
    """A reason to store under a number. It belongs to one reader if it contains what only they may know."""

    number: int
    reason: PickReason
    subscriber_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedPaper:
    """A paper that was picked for a reader, and why."""

    digest: str
    slot: str
    paper_id: PaperId
    title: str
    reason: PickReason


def pack(picked: Iterable[tuple[int, int]]) -> bytes:
    """Return (position, number of the reason) of each pick, packed."""
    return b"".join(pack_number(position) + pack_number(number) for position, number in picked)


def pack_number(number: int) -> bytes:
    """Return a number from 0 as a packed array contains it: 1 octet below 128, 2 below 16,384, and so on."""
    octets = bytearray()
    while number >= _MORE:
        octets.append(number & ~_MORE & 0xFF | _MORE)
        number >>= 7
    return bytes((*octets, number))


def unpack(packed: bytes | None) -> Iterator[tuple[int, int]]:
    """Yield (position, number of the reason) of each pick, in order."""
    # A list, because a generator takes longer.
    numbers: list[int] = []
    number = shift = 0
    for octet in packed or b"":
        if octet < _MORE:
            numbers.append(number | octet << shift)
            number = shift = 0
        else:
            number |= (octet ^ _MORE) << shift
            shift += 7
    return zip(numbers[::2], numbers[1::2], strict=True)


def add_papers(connection: Connection, edition: Edition, edition_id: int, picked: Mapping[int, Entry]) -> None:
    """Store the papers at these positions of an edition. The content is stored if the edition does not have it."""
    rows = papers.row_ids(connection, [entry.paper.id for entry in picked.values()])
    values = [
        {
            "edition_id": edition_id,
            "position": position,
            "paper_id": rows[entry.paper.id],
            "content": None if position <= len(edition.entries) else _as_json().dump_json(entry).decode(),
        }
        for position, entry in picked.items()
    ]
    if values:
        connection.execute(insert(picked_papers), values)


def add_reasons(connection: Connection, edition_id: int, reasons: Collection[NewReason]) -> None:
    """Store reasons of an edition under their numbers."""
    values = [
        {
            "edition_id": edition_id,
            "number": one.number,
            "kind": one.reason.kind,
            "title": one.reason.title,
            "names": list(one.reason.names),
            "subscriber_id": one.subscriber_id,
        }
        for one in reasons
    ]
    if values:
        connection.execute(insert(pick_reasons), values)


def section(connection: Connection, edition: Edition, edition_id: int, packed: bytes | None) -> PersonalSection | None:
    """Return the section "For you" of a delivery; None if it has none."""
    if not packed:
        return None
    stored = StoredPicks(edition, edition_id)
    stored.read(connection, packed)
    return stored.section(packed)


class StoredPicks:
    """The papers and reasons of one edition, which are read once for all its readers."""

    def __init__(self, edition: Edition, edition_id: int) -> None:
        """Nothing is read yet."""
        self._edition_id = edition_id
        self._entries = dict(enumerate(edition.entries, start=1))
        self._reasons: dict[int, PickReason] = {}

    def has(self, packed: bytes) -> bool:
        """Return whether everything was read that these picks of a delivery need."""
        return all(position in self._entries and number in self._reasons for position, number in unpack(packed))

    def read(self, connection: Connection, packed: bytes) -> None:
        """Read what these picks of a delivery need."""
        picked = list(unpack(packed))
        self._read_papers(connection, [position for position, _ in picked if position not in self._entries])
        if any(number not in self._reasons for _, number in picked):
            self._read_reasons(connection, {number for _, number in picked})

    def section(self, packed: bytes) -> PersonalSection:
        """Return the section "For you" of a delivery with these picks, which were read."""
        picked = list(unpack(packed))
        return PersonalSection(
            topic=None,
            entries=tuple([self._entries[position] for position, _ in picked]),
            reasons=tuple([self._reasons[number] for _, number in picked]),
            positions=tuple([position for position, _ in picked]),
        )

    def _read_papers(self, connection: Connection, positions: list[int]) -> None:
        p = picked_papers.c
        for some in chunks(positions):
            stored = select(p.position, p.content).where(p.edition_id == self._edition_id, p.position.in_(some))
            rows = connection.execute(stored)
            self._entries |= {row.position: _as_json().validate_json(row.content) for row in rows}

    def _read_reasons(self, connection: Connection, numbers: Collection[int]) -> None:
        if len(self._reasons) > _MOST_REASONS:
            self._reasons.clear()
        found = _reasons_in(connection, [self._edition_id], numbers)
        self._reasons |= {number: reason for (_, number), reason in found.items()}


def _reason(row: Row[Any]) -> PickReason:
    return PickReason(kind=PickKind(row.kind), title=row.title, names=tuple(row.names))


def find_paper(
    connection: Connection, subscriber_id: int, digest: str, slot: str, position: int
) -> tuple[int, Paper] | None:
    """Return (row, paper) of the paper at `position` of an edition, if it was picked for this reader; else None.

    `slot` is the edition's `key`, which names its variant.
    """
    name, slot_key = digest_and_slot(digest, slot)
    mine = (deliveries.c.edition_id == editions.c.id) & (deliveries.c.subscriber_id == subscriber_id)
    found = connection.execute(
        select(papers.staying_row().label("row_id"), deliveries.c.picks)
        .select_from(picked_papers)
        .join(schema.papers, schema.papers.c.id == picked_papers.c.paper_id)
        .join(editions, editions.c.id == picked_papers.c.edition_id)
        .join(deliveries, mine)
        .where(editions.c.digest == name, editions.c.slot == slot_key, picked_papers.c.position == position)
    ).first()
    if found is None or all(position != picked for picked, _ in unpack(found.picks)):
        return None
    return next(paper_rows.load(connection, [found.row_id]))


def of(connection: Connection, subscriber_id: int) -> Iterator[PickedPaper]:
    """Yield all papers that were picked for a reader, the oldest edition first, under their ids of today."""
    d = deliveries.c
    rows = connection.execute(
        select(d.edition_id, d.picks, editions.c.digest, editions.c.slot)
        .join(editions, editions.c.id == d.edition_id)
        .where(d.subscriber_id == subscriber_id, d.picks.is_not(None))
        .order_by(editions.c.slot_at, d.edition_id)
    ).all()
    for some in chunks(rows, _EDITIONS_AT_ONCE):
        picked = [(row, position, number) for row in some for position, number in unpack(row.picks)]
        edition_ids = [row.edition_id for row in some]
        reasons = _reasons_in(connection, edition_ids, {number for _, _, number in picked})
        known = _papers_in(connection, edition_ids, {position for _, position, _ in picked})
        for row, position, number in picked:
            paper_id, title = known[row.edition_id, position]
            reason = reasons[row.edition_id, number]
            yield PickedPaper(digest=row.digest, slot=row.slot, paper_id=paper_id, title=title, reason=reason)


def _reasons_in(
    connection: Connection, edition_ids: Collection[int], numbers: Collection[int]
) -> dict[tuple[int, int], PickReason]:
    """Return the reasons with these numbers of these editions, by edition id and number."""
    r = pick_reasons.c
    found: dict[tuple[int, int], PickReason] = {}
    for some in chunks(sorted(numbers)):
        rows = connection.execute(select(pick_reasons).where(r.edition_id.in_(edition_ids), r.number.in_(some)))
        found.update({(row.edition_id, row.number): _reason(row) for row in rows})
    return found


def _papers_in(
    connection: Connection, edition_ids: Collection[int], positions: Collection[int]
) -> dict[tuple[int, int], tuple[PaperId, str]]:
    """Return id and title of the papers at these positions of editions, as they are known today."""
    p, today = picked_papers.c, schema.papers.alias("today")
    found: dict[tuple[int, int], tuple[PaperId, str]] = {}
    for some in chunks(sorted(positions)):
        rows = connection.execute(
            select(p.edition_id, p.position, today.c.key, today.c.title)
            .join(schema.papers, schema.papers.c.id == p.paper_id)
            .join(today, today.c.id == papers.staying_row())
            .where(p.edition_id.in_(edition_ids), p.position.in_(some))
        )
        found.update({(row.edition_id, row.position): (PaperId(row.key), row.title) for row in rows})
    return found
