"""Searches over all papers, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from digestmail.model.papers import Paper

RANKED_AMONG: Final = 2000


Piece = tuple[str, bool]
"""A piece of a text, and whether it is a match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search. Empty fields do not restrict it. Without `text`, the newest papers come first."""

    text: str = ""
    """Words and "phrases", all of which must occur. Case, accents and endings are ignored."""
    topic: str | None = None
    """Only papers that an edition contained under this topic."""
    source: str | None = None
    since: datetime | None = None
    """Only papers first seen at this time or later."""
    before: datetime | None = None
    """Only papers first seen before this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A search result, with its title and an excerpt of its abstract split at matches."""

    paper: Paper
    title: tuple[Piece, ...]
    abstract: tuple[Piece, ...]
    first_seen_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPaper:
    """A paper, and when a source first showed it."""

    paper: Paper
    first_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of results, best first, and their total number, which is at most `RANKED_AMONG`."""

    hits: tuple[Hit, ...]
    total: int
