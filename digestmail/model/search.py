"""Searches over all papers: what is asked for and what is found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from digestmail.model.papers import Paper

RANKED_AMONG: Final = 2000


Piece = tuple[str, bool]
"""A piece of a text, and whether it is a hit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for. Empty fields do not narrow the search; without `text` the newest papers come first."""

    text: str = ""
    """Words, all of which must occur, and "phrases"; case, accents and endings do not matter."""
    topic: str | None = None
    """Only papers an edition had under this topic."""
    source: str | None = None
    since: datetime | None = None
    """Only papers first seen at this time or later."""
    before: datetime | None = None
    """Only papers first seen before this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A paper that was found, its title and the place in its abstract cut in pieces."""

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
    """One page of hits, the best first, and how many there are: at most `RANKED_AMONG` are counted."""

    hits: tuple[Hit, ...]
    total: int
