"""Stored data for views: edition summaries, sightings, papers with all their data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from digestmail.model.editions import Edition
from digestmail.model.literature import IndexRecord
from digestmail.model.papers import Paper, Signals
from digestmail.model.selection import Section
from digestmail.model.summaries import PaperSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionLine:
    """An edition with papers, in a list."""

    id: int
    digest: str
    slot: str
    day: date
    slot_at: datetime
    composed_at: datetime
    papers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEdition:
    """An edition with its database id."""

    id: int
    edition: Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSighting:
    """A sighting of a paper."""

    source: str
    day: date
    seen_at: datetime
    signals: Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRecord:
    """A paper with all its data."""

    paper: Paper
    sightings: tuple[StoredSighting, ...]
    editions: tuple[tuple[str, str], ...]
    """(digest, slot) of the editions that contained it."""
    summaries: tuple[PaperSummary, ...] = ()
    """What the language model wrote about it."""
    records: tuple[IndexRecord, ...] = ()
    """What indexes of the literature know about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionRecord:
    """An edition with its neighbors; None if there are none."""

    id: int
    edition: Edition
    earlier: EditionLine | None
    later: EditionLine | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedPaper:
    """A paper in a list of everything that was collected."""

    row: int
    """Later papers have higher rows; a list is continued below the row of its last paper."""
    paper: Paper
    first_seen_at: datetime
    editions: tuple[tuple[str, str], ...]
    """(digest, slot) of the editions that contain it, oldest first; variants are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPaper:
    """A paper that qualified for an edition."""

    rank: int
    paper: Paper
    topics: tuple[str, ...]
    """The topics that it matched, in alphabetical order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualifiedPapers:
    """A part of the papers that qualified for an edition, by rank, and how many there are of each topic and in all."""

    papers: tuple[RankedPaper, ...]
    topics: Mapping[str, int]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SentEdition:
    """What a subscriber was sent of an edition, and when."""

    edition: Edition
    sections: tuple[Section, ...]
    sent_at: datetime
