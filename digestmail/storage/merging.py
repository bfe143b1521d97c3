"""Adds sightings: a paper is found by id or alias, created, updated, or merged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, text, update

from digestmail.model.papers import Paper, PaperId, Sighting
from digestmail.papers.identity import told_apart, union, without_link
from digestmail.storage import (
    feedback,
    paper_embeddings,
    paper_records,
    paper_rows,
    paper_summaries,
    qualified_papers,
    upsert,
)
from digestmail.storage.schema import paper_aliases, papers
from digestmail.storage.sightings import add_rows, repoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """The changes by a reading.

    `updated` counts known papers whose text changed, `merged` counts rows that were merged into another. `unseen` are
    the ids, as in the reading, that its source had never shown before.
    """

    new: int = 0
    updated: int = 0
    merged: int = 0
    unseen: frozenset[PaperId] = frozenset()

    def __add__(self, other: Added) -> Added:
        """Return the changes by both parts of a reading."""
        return Added(
            new=self.new + other.new,
            updated=self.updated + other.updated,
            merged=self.merged + other.merged,
            unseen=self.unseen | other.unseen,
        )


@dataclass(slots=True, eq=False)
class _Work:
    """A paper: its stored rows (oldest first) and everything that is now known about it."""

    paper: Paper
    row_ids: list[int] = field(default_factory=list)
    stored: Paper | None = None
    sightings: list[Sighting] = field(default_factory=list)

    @property
    def row_id(self) -> int:
        return self.row_ids[0]


def add_sightings(
    connection: Connection, seen: Sequence[Sighting], now: datetime, horizon: datetime | None = None
) -> Added:
    """Store sightings. Storing the same sightings again changes nothing.

    `horizon` is the latest possible time, if known.
    """
    _wait_for_others(connection)
    keys = {key for sighting in seen for key in _keys(sighting.paper)}
    aliases = _find_aliases(connection, keys)
    works = _gather(seen, _stored_works(connection, aliases))
    fresh = [work for work in works if not work.row_ids]
    changed = [work for work in works if work.row_ids and (work.paper != work.stored or len(work.row_ids) > 1)]
    merged = sum(_merge_rows(connection, work) for work in changed)
    _insert(connection, fresh, now)
    _update(connection, changed, now)
    _point_aliases(connection, works, aliases)
    rows = [(work.row_id, sighting) for work in works for sighting in work.sightings]
    unseen = add_rows(connection, rows, now, horizon)
    updated = sum(len(work.row_ids) == 1 for work in changed)
    return Added(new=len(fresh), updated=updated, merged=merged, unseen=unseen)


def _wait_for_others(connection: Connection) -> None:
    """Lock out other processes that add papers, because two that read the same new paper would both add it.

    SQLite has only one writer anyway. On PostgreSQL this lock only blocks processes that write papers, not readers and
    publishers.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE papers IN SHARE ROW EXCLUSIVE MODE"))


def _keys(paper: Paper) -> tuple[PaperId, ...]:
    return (paper.id, *paper.aliases)


def _find_aliases(connection: Connection, keys: Iterable[PaperId]) -> dict[PaperId, int]:
    found: dict[PaperId, int] = {}
    for some in upsert.chunks(sorted(keys)):
        statement = select(paper_aliases).where(paper_aliases.c.alias.in_(some))
        found.update({PaperId(row.alias): row.paper_id for row in connection.execute(statement)})
    return found


def _stored_works(connection: Connection, aliases: dict[PaperId, int]) -> dict[PaperId, _Work]:
    by_row = {
        row_id: _Work(paper, [row_id], paper) for row_id, paper in paper_rows.load(connection, set(aliases.values()))
    }
    works = {key: by_row[row_id] for key, row_id in aliases.items()}
    for work in by_row.values():
        works.update(dict.fromkeys(_keys(work.paper), work))
    return works


def _gather(seen: Iterable[Sighting], known: dict[PaperId, _Work]) -> list[_Work]:
    """Assign every sighting to its paper. Create papers, and merge those that a sighting identifies."""
    works: dict[int, _Work] = {}
    for sighting in seen:
        paper = sighting.paper
        found = list({id(known[key]): known[key] for key in _keys(paper) if key in known}.values())
        met = [work for work in found if not told_apart(paper, work.paper)]
        # The address stays a name of the paper that had it first.
        work = _joined(met, paper if len(met) == len(found) else without_link(paper))
        work.sightings.append(sighting)
        for other in met:
            works.pop(id(other), None)
        works[id(work)] = work
        joined = [key for key, other in known.items() if other in met] if len(met) > 1 else []
        known.update(dict.fromkeys((*_keys(work.paper), *joined), work))
    return list(works.values())


def _joined(met: Collection[_Work], paper: Paper) -> _Work:
    """Return the one paper that `met` and `paper` are. The oldest row stays."""
    if not met:
        return _Work(paper)
    first, *others = sorted(met, key=lambda work: work.row_ids or [2**62])
    for other in others:
        first.paper = union(first.paper, other.paper)
        first.row_ids += other.row_ids
        first.sightings += other.sightings
    first.paper = union(first.paper, paper)
    return first


def _merge_rows(connection: Connection, work: _Work) -> int:
    """Redirect the younger rows of a paper to its oldest; return how many there were."""
    if len(work.row_ids) > 1:
        # Feedback is stored under a lock of its paper, so none is added to a row while it is merged.
        connection.execute(select(papers.c.id).where(papers.c.id.in_(work.row_ids)).with_for_update())
    for row_id in work.row_ids[1:]:
        repoint(connection, row_id, work.row_id)
        paper_embeddings.drop(connection, row_id)
        qualified_papers.move(connection, row_id, work.row_id)
        paper_summaries.drop(connection, row_id)
        paper_records.drop(connection, row_id)
        feedback.move(connection, row_id, work.row_id)
        aliases = update(paper_aliases).where(paper_aliases.c.paper_id == row_id)
        connection.execute(aliases.values(paper_id=work.row_id))
        connection.execute(update(papers).where(papers.c.merged_into == row_id).values(merged_into=work.row_id))
        # The remaining row takes the key if it is better.
        retired = update(papers).where(papers.c.id == row_id)
        connection.execute(retired.values(key=f"merged:{row_id}", merged_into=work.row_id))
    return len(work.row_ids) - 1


def _insert(connection: Connection, fresh: list[_Work], now: datetime) -> None:
    if not fresh:
        return
    rows = [
        {**paper_rows.columns(work.paper), "key": work.paper.id, "first_seen_at": now, "updated_at": now}
        for work in fresh
    ]
    # Matched by key, because SQLAlchemy would insert into SQLite row by row to preserve the order.
    made = {
        key: row_id for row_id, key in connection.execute(insert(papers).returning(papers.c.id, papers.c.key), rows)
    }
    for work in fresh:
        work.row_ids.append(made[work.paper.id])


def _update(connection: Connection, changed: list[_Work], now: datetime) -> None:
    rows = [
        {**paper_rows.columns(work.paper), "key": work.paper.id, "updated_at": now, "row_id": work.row_id}
        for work in changed
    ]
    if rows:
        connection.execute(update(papers).where(papers.c.id == bindparam("row_id")), rows)


def _point_aliases(connection: Connection, works: list[_Work], stored: dict[PaperId, int]) -> None:
    rows = [
        {"alias": key, "paper_id": work.row_id}
        for work in works
        for key in _keys(work.paper)
        if stored.get(key) != work.row_id
    ]
    if rows:
        statement = upsert.insert(connection, paper_aliases)
        pointed = statement.on_conflict_do_update(
            index_elements=["alias"], set_={"paper_id": statement.excluded.paper_id}
        )
        connection.execute(pointed, rows)
