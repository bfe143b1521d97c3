"""Candidates, decisions with their reasons, and the resulting sections."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from digestmail.model.papers import Paper, PaperId, Signals
from digestmail.model.personal import PickReason
from digestmail.model.summaries import PaperSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A paper that a digest may select, because it is new."""

    paper: Paper
    day: date
    """The date of the source that makes it new."""
    came_at: datetime
    """When that source first showed it."""
    signals: Signals = Signals()
    earlier: Signals = Signals()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicMatch:
    """Why a paper matches a topic."""

    topic: str
    strength: float
    """0..1, comparable between topics."""
    keywords: tuple[str, ...] = ()
    """The topic's keywords that occur in the paper, in the topic's order."""
    categories: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    probability: float | None = None
    """That the paper is about the topic, as learned; None if only words were compared."""
    similarity: float = 0.0
    words: tuple[str, ...] = ()
    """The words that contribute most to the probability or similarity, strongest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The score of a paper, and its parts (after multiplication with `age`)."""

    total: float
    upvotes: float = 0.0
    comments: float = 0.0
    stars: float = 0.0
    growth: float = 0.0
    topic: float = 0.0
    relevance: float = 1.0
    """The factor 0..1 by which doubt about the topic reduces upvotes, comments, stars and growth."""
    age: float = 1.0
    """The factor 0..1 by which age reduces the sum of the other parts."""


class Outcome(StrEnum):
    """The outcome for a candidate."""

    SELECTED = "selected"
    PUBLISHED_BEFORE = "published-before"
    WITHDRAWN = "withdrawn"
    BLOCKED = "blocked"
    NOT_KEPT = "not-kept"
    NO_TOPIC = "no-topic"
    BELOW_MIN_SCORE = "below-min-score"
    OVER_TOPIC_LIMIT = "over-topic-limit"
    OVER_LIMIT = "over-limit"

    @property
    def qualified(self) -> bool:
        """Whether the paper is in the edition, or only a limit kept it out."""
        return self in {Outcome.SELECTED, Outcome.OVER_TOPIC_LIMIT, Outcome.OVER_LIMIT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Why rules leave a paper out."""

    outcome: Literal[Outcome.BLOCKED, Outcome.NOT_KEPT]
    conditions: tuple[str, ...] = ()
    """The conditions of `block` that hold, such as "word 'survey'"; none if the paper does not match `keep`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome for a candidate, and everything that the decision depends on."""

    paper_id: PaperId
    outcome: Outcome
    score: Score
    rank: int | None = None
    """1 is the best of the candidates that were not published before, withdrawn or left out by rules."""
    new: bool = True
    """Whether it came since the last edition. New papers come before those left over from earlier."""
    match: TopicMatch | None = None
    """The topic it matches best."""
    other_matches: tuple[TopicMatch, ...] = ()
    below: tuple[TopicMatch, ...] = ()
    """Evidence for topics that is too weak for a match, strongest first."""
    excluded: tuple[str, ...] = ()
    """`topic: word` for each topic with an exclusion that applied."""
    published_in: str | None = None
    """The slot of the earlier edition that contained it."""
    rejection: Rejection | None = None
    """Why the rules of the digest leave it out, if they do."""

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that it matches, best first."""
        return (() if self.match is None else (self.match.topic,)) + tuple(one.topic for one in self.other_matches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A paper in an edition, with its data at that time. The archive does not show later changes."""

    paper: Paper
    signals: Signals
    score: Score
    rank: int
    matches: tuple[TopicMatch, ...] = ()
    """Every topic it matches, best first; in a section, the section's topic is first."""
    summaries: tuple[PaperSummary, ...] = ()
    """Summaries by a language model, at most one in each language."""

    @property
    def match(self) -> TopicMatch | None:
        """Return its topic, None if it matches none."""
        return self.matches[0] if self.matches else None


class Count(StrEnum):
    """A count of a paper, by its name in `Signals`; the first that is known decides whether a paper trends."""

    UPVOTES = "upvotes"
    STARS = "stars"
    COMMENTS = "comments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trending:
    """A paper of an earlier edition that trends now. It is no part of the new edition's papers."""

    paper: Paper
    published_on: date
    """The local date of the edition that contained it."""
    topics: tuple[str, ...]
    """The topics that it matched then."""
    count: Count
    growth: int
    """By how much the count grew since then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beyond:
    """How many papers qualified for an edition but were not kept; `topics` are their matches, best first."""

    topics: tuple[str, ...]
    papers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The papers of a topic that a subscriber gets, by rank. `topic` is None for papers that match no topic."""

    topic: str | None
    entries: tuple[Entry, ...]
    more: int = 0
    """How many more papers matched for this subscriber but were over a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalSection(Section):
    """The section "For you": papers picked for one subscriber, best first. Its `topic` is None."""

    reasons: tuple[PickReason, ...]
    """Why each of the papers was picked."""
    positions: tuple[int, ...] = field(compare=False)
    """The position of each paper in the edition, from 1, as feedback links name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The result of `select`: the content of an edition, counts of other papers, and all decisions by rank."""

    entries: tuple[Entry, ...]
    beyond: tuple[Beyond, ...]
    decisions: tuple[Decision, ...]
    others: tuple[Entry, ...] = ()
    """The ranked papers that the edition does not contain. They may be picked for single subscribers."""
