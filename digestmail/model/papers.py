"""What sources said: papers, sightings, readings, and how the readings went.

Every `datetime` in this room is aware and in UTC unless its name ends in `_local`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import NewType

PaperId = NewType("PaperId", str)
"""What makes two papers the same: `arxiv:2604.00157`, `doi:10.1101/2024.01.02`, `url:https://...`, or a feed's own name
for it, `guid:SOURCE:...`, in this order."""


class Origin(IntEnum):
    """How near the author a text comes from; of two texts for one paper, the higher origin's is kept."""

    FEED = 1
    HUGGING_FACE = 2
    ARXIV = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A work, as far as it is known. Texts are plain text: no markup, white space folded, TeX made readable."""

    id: PaperId
    title: str
    origin: Origin
    link: str
    """Where to read it, http or https."""
    aliases: tuple[PaperId, ...] = ()
    """Other ids the same work goes by, sorted, without `id` itself."""
    abstract: str = ""
    raw_title: str = ""
    raw_abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    """arXiv categories, the primary one first."""
    published_at: datetime | None = None
    """When the work first came out (arXiv: version 1), not when a source mentioned it."""
    summary: str | None = None
    """One or two sentences on the paper, by a machine."""
    keywords: tuple[str, ...] = ()
    organization: str | None = None
    comment: str | None = None
    discussion_url: str | None = None
    code_url: str | None = None
    project_url: str | None = None
    thumbnail_url: str | None = None
    withdrawn: bool = False


class AnnounceType(StrEnum):
    """arXiv's word for why a paper is in a feed, relative to the categories asked for."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"
    REPLACE_CROSS = "replace-cross"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What a source counted for a paper at one moment; None where it does not say."""

    upvotes: int | None = None
    comments: int | None = None
    stars: int | None = None
    announce_type: AnnounceType | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One source mentioned one paper. `day` is the source's own date for it, else the day it was read."""

    source: str
    paper: Paper
    day: date
    signals: Signals = Signals()


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An entry that did not become a sighting: which one, and why."""

    entry: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validators:
    """What a server gave with an answer, so that it can say "not modified" next time (RFC 9110 section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None
    unchanged: bool = field(default=False, compare=False)
    """Whether the server only said "not modified" when it gave them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The result of reading a source once."""

    source: str
    entries: int
    """Raw entries met; `entries` = sightings + skipped."""
    sightings: tuple[Sighting, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    categories: tuple[str, ...] = ()
    """Categories asked for, each judged for health on its own; empty when the source has none."""
    unchanged: bool = False
    """Every page asked for was answered "not modified"."""
    partial: str | None = None
    """Why the reading is not whole, when it is not."""
    validators: dict[str, Validators] = field(default_factory=dict)
    """By URL; to be stored together with the sightings, never before them."""


class Health(StrEnum):
    """How a reading of a source, or of one of its categories, went."""

    FRESH = "fresh"
    NOTHING_ANNOUNCED = "nothing-announced"
    STALE = "stale"
    PARTIAL = "partial"
    THROTTLED = "throttled"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """The health of one source, or of one category of it (`category` is empty for the source as a whole)."""

    source: str
    category: str
    health: Health
    detail: str
    """A sentence: why nothing came, or what came."""
    read_at: datetime
    fresh_at: datetime | None = None
    """When an unseen paper last came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """When one source first showed a paper, and the latest day it gave for it."""

    source: str
    first_seen_at: datetime
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Mentioned:
    """A paper with all that a digest's sources said of it."""

    paper: Paper
    mentions: tuple[Mention, ...]
    """One for each source, by name."""
    signals: Signals = Signals()
    """The latest known, the highest over the sources."""
    earlier: Signals = Signals()
    """The same a reading before, for growth; equal to `signals` when there was none."""
