"""What is on record, as the doors show it: editions in a line, sightings, papers with all that is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from digestmail.model.editions import Edition
from digestmail.model.papers import Paper, Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionLine:
    """An edition that had papers, in one line."""

    id: int
    digest: str
    slot: str
    day: date
    slot_at: datetime
    composed_at: datetime
    papers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEdition:
    """An edition with its number."""

    id: int
    edition: Edition


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSighting:
    """A row of the sightings of a paper."""

    source: str
    day: date
    seen_at: datetime
    signals: Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRecord:
    """A paper with all that is known of it."""

    paper: Paper
    sightings: tuple[StoredSighting, ...]
    editions: tuple[tuple[str, str], ...]
    """(digest, slot) of the editions it was in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionRecord:
    """An edition between its neighbours; None where there is none."""

    id: int
    edition: Edition
    earlier: EditionLine | None
    later: EditionLine | None
