"""Profiles: what readers said about their interests, together with the papers of their reading lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, select, union

from digestmail.model.personal import KnownPaper, Profile
from digestmail.storage.schema import profiles, reading_list_papers, reading_lists
from digestmail.storage.upsert import insert


def of(connection: Connection, subscriber_id: int) -> Profile | None:
    """Return the profile of a reader; None if they have neither a profile nor a reading list."""
    return of_each(connection, [subscriber_id]).get(subscriber_id)


def of_each(connection: Connection, subscriber_ids: Sequence[int]) -> dict[int, Profile]:
    """Return the profiles of these subscribers by id, in two queries.

    Subscribers with neither a profile nor a reading list are absent. One profile can have 2,000 papers and 5 MB, so
    they should be few.
    """
    papers = _papers(connection, reading_lists.c.subscriber_id.in_(subscriber_ids))
    found = _stated(connection, subscriber_ids)
    for owner, known in papers.items():
        if owner is not None:
            found[owner] = replace(found.get(owner, Profile()), papers=known)
    return found


def any_stored(connection: Connection) -> bool:
    """Return whether any reader has a profile or a reading list."""
    lists = select(reading_lists.c.id).where(reading_lists.c.subscriber_id.is_not(None))
    return any(connection.execute(one.limit(1)).first() for one in (select(profiles.c.subscriber_id), lists))


def stated(connection: Connection, subscriber_id: int) -> Profile | None:
    """Return what a reader said, without the papers of reading lists; None if they said nothing."""
    return _stated(connection, [subscriber_id]).get(subscriber_id)


def owners_in_range(connection: Connection, first_id: int, last_id: int) -> frozenset[int]:
    """Return the subscribers with an id between these two who have a profile or a reading list."""
    owners = (profiles.c.subscriber_id, reading_lists.c.subscriber_id)
    found = (select(one).where(one.between(first_id, last_id)) for one in owners)
    return frozenset(connection.execute(union(*found)).scalars())


def common_papers(connection: Connection) -> tuple[KnownPaper, ...]:
    """Return the papers of the reading lists that belong to `[profile]` of the configuration."""
    return _papers(connection, reading_lists.c.subscriber_id.is_(None)).get(None, ())


def store(connection: Connection, subscriber_id: int, profile: Profile, now: datetime) -> None:
    """Store what a reader said, in place of what they said before. `profile.papers` is ignored.

    The caller holds the lock of the subscriber (`subscribers.lock`), so that they are not erased at the same time.
    """
    said = {
        "interests": profile.interests,
        "authors": list(profile.authors),
        "blocked_words": list(profile.blocked_words),
        "exploration": profile.exploration,
        "updated_at": now,
    }
    statement = insert(connection, profiles).values(subscriber_id=subscriber_id, **said)
    connection.execute(statement.on_conflict_do_update(index_elements=["subscriber_id"], set_=said))


def remove(connection: Connection, subscriber_id: int) -> bool:
    """Delete what a reader said, but not their reading lists; return whether they had said anything."""
    return bool(connection.execute(delete(profiles).where(profiles.c.subscriber_id == subscriber_id)).rowcount)


def _stated(connection: Connection, subscriber_ids: Sequence[int]) -> dict[int, Profile]:
    rows = connection.execute(select(profiles).where(profiles.c.subscriber_id.in_(subscriber_ids)))
    return {
        row.subscriber_id: Profile(
            interests=row.interests,
            authors=tuple(row.authors),
            blocked_words=tuple(row.blocked_words),
            exploration=row.exploration,
        )
        for row in rows
    }


def _papers(connection: Connection, whose: ColumnElement[bool]) -> dict[int | None, tuple[KnownPaper, ...]]:
    """Return the papers of reading lists by subscriber, those of an earlier list first, each title once."""
    li, p = reading_lists.c, reading_list_papers.c
    joined = reading_lists.outerjoin(reading_list_papers, p.list_id == li.id)
    statement = select(li.subscriber_id, p.title, p.abstract).select_from(joined).where(whose)
    found: dict[int | None, list[KnownPaper]] = {}
    for row in connection.execute(statement.order_by(li.id, p.number)):
        papers = found.setdefault(row.subscriber_id, [])
        if row.title is not None:
            papers.append(KnownPaper(title=row.title, abstract=row.abstract))
    return {owner: _distinct(papers) for owner, papers in found.items()}


def _distinct(papers: Iterable[KnownPaper]) -> tuple[KnownPaper, ...]:
    """Return one paper for each title, with an abstract if one of them has it."""
    by_title: dict[str, KnownPaper] = {}
    for paper in papers:
        key = paper.title.casefold()
        if key not in by_title or (paper.abstract and not by_title[key].abstract):
            by_title[key] = paper
    return tuple(by_title.values())
