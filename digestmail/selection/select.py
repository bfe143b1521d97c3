"""Choose what goes into an edition: dedupe, rank, group. One decision for every candidate, with its reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from digestmail.model import (
    Candidate,
    Decision,
    Entry,
    Limits,
    Outcome,
    PaperId,
    Score,
    Section,
    Selection,
    Topic,
    TopicMatch,
    Weights,
)
from digestmail.selection.lexical import compare
from digestmail.selection.ranking import score
from digestmail.selection.topics import compile_rule, excluded_by, match
from digestmail.selection.words import read

_OLDEST_NEWS = timedelta(days=7)
"""How much older than the window a source may date what it shows for the first time."""
_OVER = frozenset({Outcome.OVER_TOPIC_LIMIT, Outcome.OVER_LIMIT})


def in_window(first_seen_at: datetime, day: date, since: datetime) -> bool:
    """Return whether a paper counts for an edition whose window begins at `since` (aware, UTC).

    It was first seen in the window, and its source dates it at most a week before: the first reading of a blog's feed
    shows years of posts, and none of them is news.
    """
    return first_seen_at >= since and day >= since.date() - _OLDEST_NEWS


def select(
    candidates: Iterable[Candidate],
    published: Mapping[PaperId, str],
    topics: Sequence[Topic],
    limits: Limits,
    weights: Weights,
    today: date,
    *,
    also_trending: bool,
) -> Selection:
    """Return the sections of an edition, and one decision for every paper among `candidates`.

    `published` names, by paper, the slot of the edition that had it. A paper stands under the topic it matches best, of
    equals the first; what matches none stands in a closing section if `also_trending`, or if there are no topics at
    all. Papers are taken by rank until a limit is met: `max_per_topic` holds for each section, for the closing one too
    unless it is the only one there can be; `max_papers` for all together. The result depends on neither the order of
    the candidates nor that of their sources; equal scores are ordered by paper id.
    """
    judged = _judge(_unique(candidates), topics, weights, today)
    open_to_all = also_trending or not topics
    chooser = _Chooser(published, limits, bool(topics), open_to_all)
    decided = [(paper, chooser.decide(paper)) for paper in sorted(judged, key=_rank_key)]
    decided.sort(key=lambda pair: (pair[1].rank is None, pair[1].rank or 0, pair[1].paper_id))
    return Selection(sections=tuple(_sections(decided, topics)), decisions=tuple(decision for _, decision in decided))


@dataclass(frozen=True, slots=True)
class _Judged:
    candidate: Candidate
    matches: tuple[TopicMatch, ...]
    """Best first."""
    excluded: tuple[str, ...]
    score: Score

    @property
    def match(self) -> TopicMatch | None:
        return self.matches[0] if self.matches else None


def _unique(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return each paper once, by id; of two candidates for one paper the one known better and later."""
    best: dict[PaperId, Candidate] = {}
    for candidate in candidates:
        rival = best.get(candidate.paper.id)
        if rival is None or _preference(candidate) > _preference(rival):
            best[candidate.paper.id] = candidate
    return [best[paper_id] for paper_id in sorted(best)]


def _preference(candidate: Candidate) -> tuple[date, int, int, str]:
    # The text at the end makes the order total, so that it does not matter which of two comes first.
    return candidate.day, candidate.paper.origin, candidate.signals.upvotes or 0, repr(candidate)


def _judge(
    candidates: Sequence[Candidate], topics: Sequence[Topic], weights: Weights, today: date
) -> Iterator[_Judged]:
    rules = [compile_rule(topic) for topic in topics]
    texts = [read(candidate.paper) for candidate in candidates]
    for candidate, text, similarities in zip(candidates, texts, compare(texts, topics), strict=True):
        matches: list[TopicMatch] = []
        excluded: list[str] = []
        for rule, similarity in zip(rules, similarities, strict=True):
            found = match(rule, candidate.paper, text, similarity)
            if found is None:
                continue
            word = excluded_by(rule, text)
            if word is None:
                matches.append(found)
            else:
                excluded.append(f"{rule.topic.name}: {word}")
        matches.sort(key=lambda found: -found.strength)
        strength = matches[0].strength if matches else 0.0
        yield _Judged(
            candidate=candidate,
            matches=tuple(matches),
            excluded=tuple(excluded),
            score=score(candidate, strength, weights, today),
        )


def _rank_key(judged: _Judged) -> tuple[float, PaperId]:
    return -judged.score.total, judged.candidate.paper.id


class _Chooser:
    """Takes papers in order of rank and says what becomes of each; counts what it took."""

    def __init__(self, published: Mapping[PaperId, str], limits: Limits, has_topics: bool, open_to_all: bool) -> None:  # noqa: FBT001 - facts, not options
        self._published = published
        self._limits = limits
        self._has_topics = has_topics
        self._open_to_all = open_to_all
        self._ranked = 0
        self._taken: Counter[str | None] = Counter()

    def decide(self, judged: _Judged) -> Decision:
        paper = judged.candidate.paper
        decision = Decision(
            paper_id=paper.id,
            outcome=Outcome.WITHDRAWN,
            score=judged.score,
            match=judged.match,
            other_matches=judged.matches[1:],
            excluded=judged.excluded,
        )
        slot = next((self._published[name] for name in (paper.id, *paper.aliases) if name in self._published), None)
        if slot is not None:
            return replace(decision, outcome=Outcome.PUBLISHED_BEFORE, published_in=slot)
        if paper.withdrawn:
            return decision
        self._ranked += 1
        return replace(decision, outcome=self._outcome(judged), rank=self._ranked)

    def _outcome(self, judged: _Judged) -> Outcome:
        topic = judged.match.topic if judged.match else None
        if topic is None and not self._open_to_all:
            return Outcome.NO_TOPIC
        if judged.score.total < self._limits.min_score:
            return Outcome.BELOW_MIN_SCORE
        if self._has_topics and self._taken[topic] >= self._limits.max_per_topic:
            return Outcome.OVER_TOPIC_LIMIT
        if self._taken.total() >= self._limits.max_papers:
            return Outcome.OVER_LIMIT
        self._taken[topic] += 1
        return Outcome.SELECTED


def _sections(decided: Sequence[tuple[_Judged, Decision]], topics: Sequence[Topic]) -> Iterator[Section]:
    entries: dict[str | None, list[Entry]] = {}
    more: Counter[str | None] = Counter()
    for judged, decision in decided:
        topic = decision.match.topic if decision.match else None
        if decision.outcome is Outcome.SELECTED and decision.rank is not None:
            entries.setdefault(topic, []).append(_entry(judged, decision, decision.rank))
        elif decision.outcome in _OVER:
            more[topic] += 1
    for topic in (*(topic.name for topic in topics), None):
        if topic in entries:
            yield Section(topic=topic, entries=tuple(entries[topic]), more=more[topic])


def _entry(judged: _Judged, decision: Decision, rank: int) -> Entry:
    return Entry(
        paper=judged.candidate.paper,
        signals=judged.candidate.signals,
        score=decision.score,
        rank=rank,
        match=decision.match,
    )
