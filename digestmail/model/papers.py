"""Papers, sightings and readings: what sources say, and how reading them went.

Every `datetime` in this package is aware and in UTC unless its name ends in `_local`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import NewType

PaperId = NewType("PaperId", str)
"""The identity of a paper: `arxiv:2604.00157`, `doi:10.1101/2024.01.02`, `url:https://...`, or a feed's own name for
it, `guid:SOURCE:...`, in this order."""


class Origin(IntEnum):
    """How close to the author a text comes from. Of two texts for a paper, the one with the higher origin is kept."""

    FEED = 1
    HUGGING_FACE = 2
    ARXIV = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A paper. Texts are plain text: no markup, collapsed white space, readable TeX."""

    id: PaperId
    title: str
    origin: Origin
    link: str
    """Where to read it, http or https."""
    aliases: tuple[PaperId, ...] = ()
    """Other ids of the same paper, sorted, without `id`."""
    abstract: str = ""
    raw_title: str = ""
    raw_abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    """arXiv categories, the primary one first."""
    published_at: datetime | None = None
    """When the paper first appeared (arXiv: version 1), not when a source mentioned it."""
    summary: str | None = None
    """One or two generated sentences about the paper."""
    keywords: tuple[str, ...] = ()
    organization: str | None = None
    comment: str | None = None
    discussion_url: str | None = None
    code_url: str | None = None
    project_url: str | None = None
    thumbnail_url: str | None = None
    withdrawn: bool = False


class AnnounceType(StrEnum):
    """arXiv's reason why a paper is in a feed, relative to the requested categories."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"
    REPLACE_CROSS = "replace-cross"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """A source's counts for a paper at one time; None if the source does not provide them."""

    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None
    announce_type: AnnounceType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A mention of a paper by a source. `day` is the source's date for it, or else the day it was read."""

    source: str
    paper: Paper
    day: date
    signals: Signals = Signals()


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An entry that did not become a sighting, and why."""

    entry: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """Validators of a response, for conditional requests (RFC 9110 section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None
    version: str | None = None
    """The version of the Zotero library that the response is from."""
    unchanged: bool = field(default=False, compare=False)
    """Whether they came with a "304 Not Modified" response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The result of reading a source once."""

    source: str
    entries: int
    """The number of raw entries: sightings plus skipped ones."""
    sightings: tuple[Sighting, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    categories: tuple[str, ...] = ()
    """The requested categories, each with its own health; empty if the source has none."""
    unchanged: bool = False
    """Whether every requested page was "304 Not Modified"."""
    partial: str | None = None
    """Why the reading is incomplete, if it is."""
    validators: dict[str, Validators] = field(default_factory=dict)
    """By URL. Store them together with the sightings, never before."""


class Health(StrEnum):
    """How reading a source, or one of its categories, went."""

    FRESH = "fresh"
    NOTHING_ANNOUNCED = "nothing-announced"
    STALE = "stale"
    PARTIAL = "partial"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNAVAILABLE = "unavailable"
    PARKED = "parked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """The health of a source, or of one of its categories (`category` is empty for the entire source)."""

    source: str
    category: str
    health: Health
    detail: str
    """A sentence about why nothing came, or what came."""
    read_at: datetime
    fresh_at: datetime | None = None
    """When the last new paper came."""
    absent_since: datetime | None = None
    """Since when its address does not exist, as every reading since then has found."""
    reported_at: datetime | None = None
    """When a run last failed because of this; None while all is well."""
    parked_address: str | None = None
    """A fingerprint of the address that is read only rarely, if the source is parked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """When a source first showed a paper, and its latest date for it."""

    source: str
    first_seen_at: datetime
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentioned:
    """A paper with everything that a digest's sources said about it."""

    paper: Paper
    mentions: tuple[Mention, ...]
    """One for each source, by name."""
    signals: Signals = Signals()
    """The latest known counts, the highest of all sources."""
    earlier: Signals = Signals()
    """The counts of the previous reading, for growth; equal to `signals` if there was none."""
