"""Stored data for views: edition summaries, sightings, papers with all their data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from digestmail.model.editions import Edition
from digestmail.model.literature import IndexRecord
from digestmail.model.papers import Paper, Signals
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
