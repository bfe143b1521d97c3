"""arXiv's daily announcements: rss.arxiv.org, RSS 2.0 or Atom, and the RDF of old captures.

The feed holds one announcement day and no backlog; a missed day can only be had from the API.
https://info.arxiv.org/help/rss.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from urllib.parse import quote

from digestmail.model.papers import AnnounceType, Reading
from digestmail.sources.base import Fetcher

MIN_INTERVAL = 3.0
"""Seconds between two requests, over all machines (https://info.arxiv.org/help/api/tou.html)."""


class ArxivFeed:
    """The announcements of some arXiv categories."""

    def __init__(
        self,
        *,
        name: str,
        fetcher: Fetcher,
        categories: Sequence[str],
        base_url: str = "https://rss.arxiv.org",
        include_cross: bool = True,
        include_replacements: bool = False,
        flavour: Literal["rss", "atom"] = "rss",
    ) -> None:
        """Read `categories` (archives too: `cs`) in one request, which is what arXiv asks for."""
        self.name = name
        self._fetcher = fetcher
        self._categories = tuple(categories)
        self._wanted = wanted_types(include_cross=include_cross, include_replacements=include_replacements)
        joined = "+".join(quote(category, safe=".-*") for category in self._categories)
        self._url = f"{base_url.rstrip('/')}/{flavour}/{joined}"

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read today's announcements; `since` makes no difference, for the feed has no backlog. Raises SourceError."""
        del since
        answer = self._fetcher.fetch(
            self._url,
            accept="application/rss+xml, application/atom+xml, application/xml;q=0.9",
            min_interval=MIN_INTERVAL,
            retry_empty=True,
        )
        validators = {answer.url: answer.validators}
        if answer.body is None:
            return Reading(
                source=self.name, entries=0, categories=self._categories, unchanged=True, validators=validators
            )
        # Most answers say that nothing changed. What parses feeds is not needed then.
        from digestmail.sources.arxiv_feed_items import parse_arxiv_feed

        parsed = parse_arxiv_feed(answer.body, source=self.name, wanted=self._wanted, now=now)
        return Reading(
            source=self.name,
            entries=parsed.entries,
            sightings=parsed.sightings,
            skipped=parsed.skipped,
            categories=self._categories,
            partial=parsed.partial,
            # What was cut must be asked for whole next time.
            validators={} if parsed.partial else validators,
        )


def wanted_types(*, include_cross: bool, include_replacements: bool) -> frozenset[AnnounceType]:
    """Return the announce types to keep: `new` always, a replaced cross-list only if both are wanted."""
    wanted = {AnnounceType.NEW}
    if include_cross:
        wanted.add(AnnounceType.CROSS)
    if include_replacements:
        wanted.add(AnnounceType.REPLACE)
    if include_cross and include_replacements:
        wanted.add(AnnounceType.REPLACE_CROSS)
    return frozenset(wanted)
