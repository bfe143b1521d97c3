"""What one group of subscribers gets of an edition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from digestmail.model import Edition, PaperId, Section


def for_segment(edition: Edition, topics: tuple[str, ...], without: frozenset[PaperId]) -> tuple[Section, ...]:
    """Return the sections for subscribers who chose `topics` (none means all) and already got the papers `without`.

    The closing section, papers that match no topic, goes only to those who take everything: who chose topics asked for
    nothing else. Ranks stay those of the edition, and so does `more`, which counts what the edition had no room for.
    """
    return tuple(_sections(edition, topics, without))


def _sections(edition: Edition, topics: tuple[str, ...], without: frozenset[PaperId]) -> Iterator[Section]:
    for section in edition.sections:
        if topics and section.topic not in topics:
            continue
        entries = tuple(entry for entry in section.entries if entry.paper.id not in without)
        if entries:
            yield replace(section, entries=entries)
