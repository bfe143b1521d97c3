"""Any RSS, Atom, RDF or JSON feed: blogs, journals, other people's lists of papers."""

from __future__ import annotations

from datetime import datetime

from digestmail.model.papers import Reading
from digestmail.sources.base import Fetcher

_ACCEPT = "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"


class Feed:
    """A feed of which nothing is known but its address."""

    def __init__(self, *, name: str, fetcher: Fetcher, url: str) -> None:
        """Read the feed at `url`."""
        self.name = name
        self._fetcher = fetcher
        self._url = url

    def read(self, now: datetime, since: datetime | None) -> Reading:
        """Read what the feed shows now; `since` makes no difference. Raises SourceError."""
        del since
        answer = self._fetcher.fetch(self._url, accept=_ACCEPT, retry_empty=True)
        validators = {answer.url: answer.validators}
        if answer.body is None:
            return Reading(source=self.name, entries=0, unchanged=True, validators=validators)
        # Most answers say that nothing changed. What parses feeds is not needed then.
        from digestmail.sources.feed_items import parse_feed

        parsed = parse_feed(
            answer.body, source=self.name, now=now, url=answer.found_at, content_type=answer.content_type
        )
        return Reading(
            source=self.name,
            entries=parsed.entries,
            sightings=parsed.sightings,
            skipped=parsed.skipped,
            partial=parsed.partial,
            # What was cut must be asked for whole next time.
            validators={} if parsed.partial else validators,
        )
