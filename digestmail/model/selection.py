"""What was chosen and why: candidates, decisions, and the sections they make."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from digestmail.model.papers import Paper, PaperId, Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A paper a digest may choose: it is news, and of this day."""

    paper: Paper
    day: date
    """The day of the source that makes it news."""
    came_at: datetime
    """When that source first showed it."""
    signals: Signals = Signals()
    earlier: Signals = Signals()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicMatch:
    """Why a paper belongs to a topic."""

    topic: str
    strength: float
    """0..1, comparable between topics."""
    keywords: tuple[str, ...] = ()
    """The topic's keywords that occur in the paper, in the topic's order."""
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    similarity: float = 0.0
    similar_words: tuple[str, ...] = ()
    """The words that carry most of the similarity, strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A paper's score, and the parts it is the sum of (after `age`, which multiplies the others)."""

    total: float
    upvotes: float = 0.0
    comments: float = 0.0
    stars: float = 0.0
    growth: float = 0.0
    topic: float = 0.0
    age: float = 1.0
    """The factor 0..1 by which age shrinks the sum of the other parts."""


class Outcome(StrEnum):
    """What became of a candidate."""

    SELECTED = "selected"
    PUBLISHED_BEFORE = "published-before"
    WITHDRAWN = "withdrawn"
    NO_TOPIC = "no-topic"
    BELOW_MIN_SCORE = "below-min-score"
    OVER_TOPIC_LIMIT = "over-topic-limit"
    OVER_LIMIT = "over-limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What became of one candidate, and everything the decision rests on."""

    paper_id: PaperId
    outcome: Outcome
    score: Score
    rank: int | None = None
    """1 is taken first, among the candidates neither published before nor withdrawn."""
    new: bool = True
    """Whether it came since the last edition; what is left over from before comes after all that is new."""
    match: TopicMatch | None = None
    """The topic it matches best."""
    other_matches: tuple[TopicMatch, ...] = ()
    excluded: tuple[str, ...] = ()
    """`topic: word` for every topic whose exclusion struck."""
    published_in: str | None = None
    """The slot of the edition that had it before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A paper in an edition, as it was on the day: the archive shows this, whatever is learned later."""

    paper: Paper
    signals: Signals
    score: Score
    rank: int
    matches: tuple[TopicMatch, ...] = ()
    """Every topic it matches, the best first; in a section, the one it stands under first."""

    @property
    def match(self) -> TopicMatch | None:
        """Return the topic it stands under, None if it matches none."""
        return self.matches[0] if self.matches else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """How many papers qualified for an edition but are in it for no reader; `topics` they match, the best first."""

    topics: tuple[str, ...]
    papers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One topic's papers as one reader gets them, by rank. `topic` is None for what matches no topic."""

    topic: str | None
    entries: tuple[Entry, ...]
    more: int = 0
    """How many more papers belonged here for this reader but were over a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What `select` decided: what an edition holds, what it has no room for, and a decision per candidate by rank."""

    entries: tuple[Entry, ...]
    beyond: tuple[Beyond, ...]
    decisions: tuple[Decision, ...]
