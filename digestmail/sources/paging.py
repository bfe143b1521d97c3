"""Reads services that answer in pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from digestmail.errors import SourceError
from digestmail.model.papers import Reading, Sighting, Skipped
from digestmail.sources.parsed import gather

MOST_RESULTS = 20_000
"""More results of one reading are left for the next one."""

OVERLAP = timedelta(days=1)
"""How long before the last reading the next one begins: services list papers late, and by days of other time zones."""

Page = Sequence[Sighting | Skipped]


def reading_start(now: datetime, since: datetime | None, *, look_back: timedelta, at_most: timedelta) -> datetime:
    """Return when a reading at `now` begins: `look_back` ago, or shortly before `since` if that is longer ago.

    `since` is the last complete reading. What was missed is read back to `at_most` ago.
    """
    start = now - look_back
    return start if since is None else max(min(start, since - OVERLAP), now - at_most)


def read_pages(source: str, pages: Iterator[Page]) -> Reading:
    """Return a reading of all `pages`. If a later page fails, the earlier ones are kept and the reading is partial.

    Raises SourceError if the first page fails.
    """
    results: list[Sighting | Skipped] = []
    partial = None
    first = True
    try:
        for page in pages:
            results += page
            first = False
            if len(results) >= MOST_RESULTS:
                partial = f"only the first {len(results):,} entries: there are too many for one reading"
                break
    except SourceError as error:
        if first:
            raise
        partial = f"only the first {len(results):,} entries: {error}"
    gathered = gather(results, partial)
    return Reading(
        source=source,
        entries=gathered.entries,
        sightings=gathered.sightings,
        skipped=gathered.skipped,
        partial=partial,
    )
