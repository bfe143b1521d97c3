"""What was learned about topics, stored by what it was learned for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, delete, func, select

from digestmail.storage.schema import papers, topic_models
from digestmail.storage.upsert import insert

USABLE = papers.c.merged_into.is_(None) & ~papers.c.withdrawn & (papers.c.abstract != "")
"""The papers that topics are learned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A stored model."""

    model: str | None
    """The model as `selection.topic_model.dump` writes it; None if the papers said too little about the topic."""
    papers: int
    """The number of papers that it was learned from."""
    learned_on: date
    embedded: int = 0
    """How many of the papers had an embedding."""


def by_fingerprint(connection: Connection, fingerprints: Sequence[str]) -> dict[str, Learned]:
    """Return the stored models of these fingerprints."""
    t = topic_models.c
    rows = connection.execute(select(topic_models).where(t.fingerprint.in_(fingerprints)))
    return {
        row.fingerprint: Learned(model=row.model, papers=row.papers, learned_on=row.learned_on, embedded=row.embedded)
        for row in rows
    }


def replace_all(connection: Connection, learned: Mapping[str, Learned]) -> None:
    """Store these models by fingerprint, and remove all others."""
    connection.execute(delete(topic_models).where(topic_models.c.fingerprint.not_in(sorted(learned))))
    for fingerprint, one in sorted(learned.items()):
        values = {
            "model": one.model,
            "papers": one.papers,
            "learned_on": one.learned_on,
            "embedded": one.embedded,
        }
        statement = insert(connection, topic_models).values(fingerprint=fingerprint, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["fingerprint"], set_=values))


def count_papers(connection: Connection, most: int) -> int:
    """Return the number of papers that topics can be learned from, counting up to `most`."""
    usable = select(papers.c.id).where(USABLE).order_by(papers.c.id.desc()).limit(most).subquery()
    return connection.execute(select(func.count()).select_from(usable)).scalar_one()


def newest_texts(connection: Connection, most: int) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield title, abstract and keywords of the newest papers, oldest first, at most `most` of them."""
    p = papers.c
    newest = select(p.id, p.title, p.abstract, p.keywords).where(USABLE).order_by(p.id.desc()).limit(most).subquery()
    for row in connection.execute(select(newest).order_by(newest.c.id)):
        yield row.title, row.abstract, tuple(row.keywords)
