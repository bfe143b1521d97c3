"""The operator's configuration of digests: topics, limits and schedules."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from digestmail.model.personal import Profile
from digestmail.model.theme import Appearance


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A rule that papers match, and that subscribers can choose."""

    name: str
    keywords: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    description: str = ""
    min_strength: float = 0.5
    """The strength (0..1) from which a paper matches."""
    learn: bool = True
    """Whether to learn from the papers of the database what the topic is about; otherwise only its words count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions on a paper. It matches if one of them holds."""

    words: tuple[str, ...] = ()
    """Literal phrases in the title, the abstract or the paper's own keywords."""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    """Regular expressions that are searched in the title and in the abstract, see `selection/patterns.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRules:
    """Which papers are left out: those that match `block`, and those that do not match `keep`, if it is set."""

    block: Conditions | None = None
    keep: Conditions | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights of the parts of a score. The formula is in `selection/score.py`."""

    upvotes: float = 1.0
    comments: float = 0.5
    stars: float = 0.2
    growth: float = 0.5
    topic: float = 1.0
    half_life_days: float = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many papers a subscriber gets of an edition, and the minimum score."""

    max_papers: int = 25
    max_per_topic: int = 10
    min_score: float = 0.0


class Cadence(StrEnum):
    """How often a reader gets a digest, if not whenever it is published."""

    WEEKDAYS = "weekdays"
    """From Monday to Friday."""
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When editions are due: a crontab line (five fields, Sunday is 0 or 7; or @daily) in an IANA time zone."""

    cron: str
    timezone: str
    every: Cadence | None = None
    """Which of these slots count; None means all."""


class OnEmpty(StrEnum):
    """What to do on a day without papers."""

    SKIP = "skip"
    SEND = "send"


class OnMissed(StrEnum):
    """What to do about slots in which digestmail did not run."""

    MERGE = "merge"
    """The next edition contains their papers."""
    EACH = "each"
    """Each of the last of them gets its edition."""
    SKIP = "skip"
    """Their papers are left out."""


class Arrival(StrEnum):
    """How the new papers of a source come."""

    ARXIV = "arxiv"
    """At once, on the days of arXiv's calendar."""
    AT_ONCE = "at-once"
    GRADUAL = "gradual"
    """Over some hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Which sources an edition waits for, and for how many hours after the start of its slot at most.

    A table of several feeds or repositories is one of them, under its own name.
    """

    sources: tuple[tuple[str, Arrival], ...] = ()
    hours: float = 3.0


VARIANT_MARK: Final = "@"
_PERIOD: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})--.*")
"""Separates the name of a digest from the name of a variant. Configured names do not contain it."""


_ANNOUNCEMENT: Final = "announcement"
"""The variant whose editions are announcements."""


def announcement_name(base: str) -> str:
    """Return the name under which the announcements of a configured digest are stored: `daily@announcement`."""
    return f"{base}{VARIANT_MARK}{_ANNOUNCEMENT}"


def base_name(name: str) -> str:
    """Return the name of the configured digest of `name`, which may be a variant such as `daily@weekly`."""
    return name.partition(VARIANT_MARK)[0]


def is_catch_up(name: str) -> bool:
    """Return whether `name` is that of a catch-up edition, such as `daily@2026-11-14--2026-11-28`."""
    return _PERIOD.search(name.partition(VARIANT_MARK)[2]) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """Whom a catch-up edition is for: readers whose pause began from `first` to `last` and ended in between.

    They missed the edition that was composed at `missed_at`, and their pause ended after it and not after `until`.
    """

    missed_at: datetime
    until: datetime
    first: datetime | None = None
    """None means at any time before `last`."""
    last: datetime | None = None
    """Not included; None means until `missed_at`."""
    since: date | None = None
    """The local day from which their edition has papers."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class OutputTarget:
    """A destination of a configured output. Each destination of an edition is queued, attempted and retried alone."""

    output: str
    """The name of the output."""
    destination: str = ""
    """A fingerprint, if an output has several destinations; empty if it has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A configured newsletter, or a variant of one for readers who get it less often."""

    name: str
    """A variant has the name of its digest, `@` and its own name, such as `daily@weekly`."""
    title: str
    schedule: Schedule
    sources: tuple[str, ...]
    curated: tuple[str, ...] = ()
    """Those of `sources` that select papers which others announced, such as Hugging Face."""
    source_rules: tuple[tuple[str, FilterRules], ...] = ()
    """By name of one of `sources`: which of its papers do not count as shown by it."""
    rules: FilterRules = FilterRules()
    byline: str = ""
    topics: tuple[Topic, ...] = ()
    limits: Limits = Limits()
    weights: Weights = Weights()
    window_days: int = 2
    also_trending: bool = True
    """Whether papers that match no topic get a last section."""
    on_empty: OnEmpty = OnEmpty.SKIP
    on_missed: OnMissed = OnMissed.MERGE
    wait: Wait = Wait()
    allow_repeats_of: tuple[str, ...] = ()
    """Names of digests whose papers this digest may repeat for the same person."""
    welcome_edition: bool = False
    """Whether people who have just confirmed get the latest edition at once."""
    for_you: int = 5
    """How many papers the section "For you" has at most; 0 means that there is none. See `personal`."""
    personal: bool = False
    """Whether the email of a reader with known interests has only the section "For you", up to the limit of papers."""
    profile: Profile | None = None
    """The interests of readers without a profile."""
    look: Appearance = Appearance()
    summary_model: str | None = None
    """The language model whose summaries the editions contain; None if they contain none."""

    @property
    def most_picks(self) -> int:
        """How many papers are picked for one reader at most."""
        return self.limits.max_papers if self.personal else min(self.for_you, self.limits.max_papers)

    outputs: tuple[OutputTarget, ...] = ()
    """Where its editions go besides emails; those of its variants go nowhere else."""
    catch_up: CatchUp | None = None
    """Set in the variant for readers who return from a pause."""

    @property
    def base(self) -> str:
        """The name of the configured digest, which readers subscribe to."""
        return base_name(self.name)


def shown_name(name: str) -> str:
    """Return the name of a digest as reports show it: a variant such as `daily@weekly` as "daily (weekly)"."""
    base, _, variant = name.partition(VARIANT_MARK)
    readable = _PERIOD.sub(r"since \1", variant).replace("-since", ", since")
    return f"{base} ({readable})" if variant else base
