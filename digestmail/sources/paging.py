"""Reads services that answer in pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from digestmail.errors import SourceError
from digestmail.model.papers import Reading, Sighting, Skipped
from digestmail.sources.parsed import gather

MOST_RESULTS = 20_000
"""More results of one reading are left for the next one."""

Page = Sequence[Sighting | Skipped]


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
