"""Decide whether a paper is news for a digest, and of which day.

A curated source makes a paper news when it takes it up, however long ago arXiv announced it: Hugging Face lists papers
up to two weeks old. An announcement makes news only of what no source of the digest had shown before. Either counts
inside the window only, and only if the source itself dates the paper at most a week before it: the first reading of a
blog's feed shows years of posts, and none of them is news.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from digestmail.model.papers import Mention, Mentioned
from digestmail.model.selection import Candidate

OLDEST_NEWS = timedelta(days=7)
"""How much older than the window a source may date what it shows for the first time."""


def candidates(mentioned: Iterable[Mentioned], curated: Collection[str], since: datetime) -> Iterator[Candidate]:
    """Yield those of the papers that are news in the window that begins at `since` (aware, UTC)."""
    for one in mentioned:
        makers = news_makers(one.mentions, curated, since)
        if not makers:
            continue
        # Taken up by a second curated source it is news once more; announced twice it came the first time.
        first_seen = [mention.first_seen_at for mention in makers]
        yield Candidate(
            paper=one.paper,
            day=max(mention.day for mention in makers),
            came_at=max(first_seen) if makers[0].source in curated else min(first_seen),
            signals=one.signals,
            earlier=one.earlier,
        )


def news_makers(mentions: Iterable[Mention], curated: Collection[str], since: datetime) -> tuple[Mention, ...]:
    """Return the mentions that make a paper news: all curated, or else all announcements; none if it is no news."""
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
