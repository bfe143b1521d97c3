"""Decides whether a paper is new for a digest, and since which day.

A curated source makes a paper new when it lists it, even if arXiv announced it long ago: Hugging Face lists papers up
to two weeks old. An announcement only makes a paper new if no source of the digest showed it before. Both only count
inside the window, and only if the source dates the paper at most a week before the window: the first reading of a
blog's feed contains years of posts, none of which are new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from digestmail.model.papers import Mention, Mentioned
from digestmail.model.selection import Candidate

OLDEST_NEWS = timedelta(days=7)
"""How much earlier than the window a source may date a paper that it shows for the first time."""


def candidates(mentioned: Iterable[Mentioned], curated: Collection[str], since: datetime) -> Iterator[Candidate]:
    """Yield the papers that are new in the window that starts at `since` (aware, UTC)."""
    for one in mentioned:
        makers = news_makers(one.mentions, curated, since)
        if not makers:
            continue
        # A second curated source makes a paper new again; a second announcement does not.
        first_seen = [mention.first_seen_at for mention in makers]
        yield Candidate(
            paper=one.paper,
            day=max(mention.day for mention in makers),
            came_at=max(first_seen) if makers[0].source in curated else min(first_seen),
            signals=one.signals,
            earlier=one.earlier,
        )


def news_makers(mentions: Iterable[Mention], curated: Collection[str], since: datetime) -> tuple[Mention, ...]:
    """Return the mentions that make a paper new: all curated ones, or else all announcements; none if it is not new."""
    known = tuple(mentions)
    recent = [mention for mention in known if not is_old(mention, since)]
    picked = tuple(mention for mention in recent if mention.source in curated)
    if picked:
        return picked
    if any(mention.first_seen_at < since for mention in known):
        return ()
    return tuple(recent)


def is_old(mention: Mention, since: datetime) -> bool:
    """Return whether the source showed the paper before the window, or dates it more than a week before."""
    return mention.first_seen_at < since or mention.day < since.date() - OLDEST_NEWS
