"""Editions and the segments of readers who get the same part of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from digestmail.model.digests import Limits
from digestmail.model.papers import PaperId
from digestmail.model.selection import Beyond, Entry


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Slot:
    """The period an edition stands for: `key` is its local date, with the time if it fires more often than daily."""

    at: datetime
    key: str
    day: date
    """The local date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One immutable issue of a digest. Without entries it is the record of an empty day and `reason` says why.

    It holds what any choice of topics may need; what one reader gets of it is decided in `selection/segments.py`.
    """

    digest: str
    slot: Slot
    title: str
    byline: str
    composed_at: datetime
    entries: tuple[Entry, ...] = ()
    """By rank."""
    beyond: tuple[Beyond, ...] = ()
    topics: tuple[str, ...] = ()
    """The topics of the digest in the order of its sections."""
    limits: Limits = Limits()
    """What one reader gets at most."""
    considered: int = 0
    """How many candidates there were."""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The subscribers of an edition who get the same content: these papers, in the edition's order, in one language."""

    id: int
    edition_id: int
    topics: tuple[str, ...]
    paper_ids: tuple[PaperId, ...]
    more: tuple[tuple[str | None, int], ...] = ()
    """How many more papers belonged under a topic (None: the closing section), where there were any."""
    language: str | None = None
    """The language they chose; None follows the digest."""
