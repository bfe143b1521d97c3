"""Lists of editions and papers, the neighbors of an edition, and a version of all data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, true

from digestmail.model.archive import EditionLine, StoredEdition
from digestmail.model.digests import VARIANT_MARK
from digestmail.model.editions import Edition
from digestmail.model.papers import Paper
from digestmail.storage import editions as stored
from digestmail.storage import paper_rows
from digestmail.storage.schema import api_usage, editions, papers, sources

_LINE = (
    editions.c.id,
    editions.c.digest,
    editions.c.slot,
    editions.c.slot_at,
    editions.c.composed_at,
    editions.c.papers,
)
_NO_VARIANT = ~editions.c.digest.contains(VARIANT_MARK)
"""By the name, which the index for lists contains."""


def lines(
    connection: Connection,
    *,
    digest: str | None = None,
    since: str = "",
    until: str = "~",
    limit: int = 100,
    offset: int = 0,
) -> tuple[EditionLine, ...]:
    """Return editions with papers, newest first, with slot keys from `since` up to but not including `until`.

    Without `digest`, those of all digests, but not of their variants.
    """
    statement = select(*_LINE).where(editions.c.papers > 0, editions.c.slot >= since, editions.c.slot < until)
    statement = statement.where(_NO_VARIANT if digest is None else editions.c.digest == digest)
    newest = statement.order_by(editions.c.slot_at.desc(), editions.c.digest).limit(limit).offset(offset)
    return tuple(_line(row) for row in connection.execute(newest))


def digest_names(connection: Connection) -> tuple[str, ...]:
    """Return the names of all digests and variants that have editions, empty ones included."""
    return tuple(connection.execute(select(editions.c.digest).distinct().order_by(editions.c.digest)).scalars())


def has_slot(connection: Connection, digest: str | None, slot: str) -> bool:
    """Return whether a digest or one of its variants has an edition for a slot, any digest if it is None."""
    found = select(editions.c.id).where(editions.c.slot == slot, is_of(digest)).limit(1)
    return connection.execute(found).first() is not None


def last_slots(connection: Connection, digest: str | None, limit: int) -> tuple[str, ...]:
    """Return the keys of the last slots of a digest and its variants, of all digests if it is None, newest first."""
    e = editions.c
    newest = select(e.slot).where(is_of(digest)).group_by(e.slot).order_by(func.max(e.slot_at).desc()).limit(limit)
    return tuple(connection.execute(newest).scalars())


def is_of(digest: str | None) -> ColumnElement[bool]:
    """Return the condition for editions of a digest with all its variants, or of a single variant; None: of any."""
    if digest is None:
        return true()
    return (editions.c.digest if VARIANT_MARK in digest else editions.c.base) == digest


def count(connection: Connection, digest: str | None = None) -> int:
    """Return the number of editions with papers, without `digest` of all digests, but not of their variants."""
    statement = select(func.count()).select_from(editions).where(editions.c.papers > 0)
    statement = statement.where(_NO_VARIANT if digest is None else editions.c.digest == digest)
    return int(connection.execute(statement).scalar_one())


def list_slots(connection: Connection, digest: str, limit: int = 50) -> tuple[tuple[str, int], ...]:
    """Return (slot key, number of papers) of a digest's last editions, newest first, without reading their content."""
    statement = (
        select(editions.c.slot, editions.c.papers)
        .where(editions.c.digest == digest)
        .order_by(editions.c.slot_at.desc())
        .limit(limit)
    )
    return tuple((row.slot, row.papers) for row in connection.execute(statement))


def neighbours(connection: Connection, digest: str, slot_at: datetime) -> tuple[EditionLine | None, EditionLine | None]:
    """Return the editions before and after this slot, or None."""
    ours = select(*_LINE).where(editions.c.digest == digest, editions.c.papers > 0)
    before = ours.where(editions.c.slot_at < slot_at).order_by(editions.c.slot_at.desc()).limit(1)
    after = ours.where(editions.c.slot_at > slot_at).order_by(editions.c.slot_at).limit(1)
    found = [connection.execute(statement).first() for statement in (before, after)]
    earlier, later = (_line(row) if row else None for row in found)
    return earlier, later


def contents(connection: Connection, found: tuple[EditionLine, ...]) -> Iterator[StoredEdition]:
    """Yield these editions with their content, in the given order."""
    for line in found:
        yield stored.get_by_id(connection, line.id)


def between(connection: Connection, digest: str, since: datetime, before: datetime) -> tuple[Edition, ...]:
    """Return the editions of `digest` with papers for slots from `since`, before `before`, oldest first."""
    e = editions.c
    statement = select(e.id).where(e.digest == digest, e.slot_at >= since, e.slot_at < before, e.papers > 0)
    ids = connection.execute(statement.order_by(e.slot_at)).scalars().all()
    return tuple(stored.get_by_id(connection, edition_id).edition for edition_id in ids)


def version(connection: Connection) -> str:
    """Return a value that changes when an edition, a paper or a sighting is added or changed."""
    statements = (
        select(func.max(editions.c.id), func.sum(editions.c.papers), func.max(editions.c.composed_at)),
        select(func.max(papers.c.id)),
        select(func.max(sources.c.read_at)),
        select(func.sum(api_usage.c.requests)),
    )
    return "|".join(str(value) for statement in statements for value in connection.execute(statement).one())


def newest_paper_row(connection: Connection) -> int:
    """Return the highest row of a paper; 0 if there is none."""
    return int(connection.execute(select(func.max(papers.c.id))).scalar() or 0)


def paper_page(connection: Connection, *, below: int | None, limit: int) -> tuple[tuple[int, Paper], ...]:
    """Return (row, paper) of the latest papers, newest first. `below` continues after that row."""
    statement = select(papers.c.id).where(papers.c.merged_into.is_(None))
    if below is not None:
        statement = statement.where(papers.c.id < below)
    order = connection.execute(statement.order_by(papers.c.id.desc()).limit(limit)).scalars().all()
    return tuple(sorted(paper_rows.load(connection, order), reverse=True, key=lambda pair: pair[0]))


def paper_keys(connection: Connection, first: int, last: int) -> tuple[tuple[str, datetime], ...]:
    """Return (id, time of the last change) of the papers in the rows `first` to `last`, inclusive."""
    statement = (
        select(papers.c.key, papers.c.updated_at)
        .where(papers.c.id.between(first, last), papers.c.merged_into.is_(None))
        .order_by(papers.c.id)
    )
    return tuple((row.key, row.updated_at) for row in connection.execute(statement))


def _line(row: Any) -> EditionLine:
    return EditionLine(
        id=row.id,
        digest=row.digest,
        slot=row.slot,
        day=date.fromisoformat(row.slot[:10]),
        slot_at=row.slot_at,
        composed_at=row.composed_at,
        papers=row.papers,
    )
