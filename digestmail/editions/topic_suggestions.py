"""Suggests topics from the stored papers. Read-only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from digestmail.errors import DigestmailError
from digestmail.storage import papers
from digestmail.storage.database import Database
from digestmail.text.counts import counted

if TYPE_CHECKING:
    from digestmail.selection.suggest import SuggestedTopic

MOST_PAPERS = 6000
"""The newest papers are enough, and bound time and memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSuggestions:
    """Topics suggested from the papers of a period."""

    since: datetime
    sources: tuple[str, ...]
    papers: int
    """The number of papers that the suggestions come from."""
    topics: tuple[SuggestedTopic, ...]


def suggest_from(
    database: Database, sources: Sequence[str], taken: Collection[str], now: datetime, *, days: int, count: int
) -> TopicSuggestions:
    """Suggest at most `count` topics from the papers that `sources` first showed in the `days` before `now`.

    `taken` are names that must not be suggested. Raises DigestmailError for too few papers.
    """
    # NumPy and SciPy take longer to import than most runs take for everything else.
    from digestmail.selection.suggest import FEWEST_PAPERS, suggest_topics

    since = now - timedelta(days=days)
    with database.connect() as connection:
        shown = papers.mentioned(connection, sources, since, now)
    readable = [one.paper for one in shown if one.paper.abstract and not one.paper.withdrawn][-MOST_PAPERS:]
    if len(readable) < FEWEST_PAPERS:
        raise DigestmailError(
            f"topics are suggested from at least {FEWEST_PAPERS} papers with an abstract, and the last "
            f"{counted(days, 'day')} brought {len(readable)}: look further back with --days, or add sources"
        )
    try:
        topics = suggest_topics(readable, count, taken=taken)
    except (ValueError, RuntimeError) as error:
        raise DigestmailError(f"no topics can be suggested from {len(readable)} papers: {error}") from error
    return TopicSuggestions(since=since, sources=tuple(sources), papers=len(readable), topics=topics)
