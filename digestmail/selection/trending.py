"""Finds papers of earlier editions that trend now. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Final

from digestmail.model.editions import Edition
from digestmail.model.papers import Paper, PaperId, Signals
from digestmail.model.selection import Count, Trending

OLDEST: Final = timedelta(days=30)
_LATEST: Final = timedelta(days=2)
_LEAST_GROWTH: Final = 20
_MOST_PAPERS: Final = 3


def trending(
    earlier: Collection[Edition], known: Mapping[PaperId, tuple[Paper, Signals]], today: date
) -> tuple[Trending, ...]:
    """Return the papers of `earlier` editions of a digest that trend on `today`, the strongest growth first.

    `known` are the papers as they are known now, with their latest counts, by the ids they had in their edition. A
    paper trends if it was published two to thirty days ago, and its upvotes grew since then by at least 20 and by at
    least as many as it had. Without upvotes, its stars count, or else its comments. At most three papers trend, and
    each only once.
    """
    shown = {one.paper.id for edition in earlier for one in edition.trending}
    found = (
        one
        for edition in earlier
        if today - OLDEST <= edition.slot.day <= today - _LATEST
        for one in _of_edition(edition, known)
        if not shown & {one.paper.id, *one.paper.aliases}
    )
    best: dict[PaperId, Trending] = {}
    for one in sorted(found, key=lambda one: (-one.growth, one.paper.id)):
        best.setdefault(one.paper.id, one)
    return tuple(best.values())[:_MOST_PAPERS]


def for_topics(found: Iterable[Trending], topics: Collection[str]) -> tuple[Trending, ...]:
    """Return the papers that readers of `topics` got in the edition they were in; no topics means all."""
    return tuple(one for one in found if not topics or any(topic in topics for topic in one.topics))


def _of_edition(edition: Edition, known: Mapping[PaperId, tuple[Paper, Signals]]) -> Iterator[Trending]:
    for entry in edition.entries:
        if entry.paper.id not in known:
            continue
        paper, now = known[entry.paper.id]
        counted = _growth(entry.signals, now)
        if counted is not None and not paper.withdrawn:
            count, growth = counted
            topics = tuple(match.topic for match in entry.matches)
            yield Trending(paper=paper, published_on=edition.slot.day, topics=topics, count=count, growth=growth)


def _growth(before: Signals, now: Signals) -> tuple[Count, int] | None:
    """Return which count grew, and by how much; None if it grew too little."""
    for count in Count:
        latest: int | None = getattr(now, count)
        if latest is not None:
            first = max(getattr(before, count) or 0, 0)
            growth = latest - first
            return (count, growth) if growth >= max(_LEAST_GROWTH, first) else None
    return None
