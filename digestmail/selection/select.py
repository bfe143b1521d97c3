"""Selects the papers of an edition: deduplicate, rank, group. Each candidate gets a decision with its reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from digestmail.model.digests import Digest
from digestmail.model.papers import PaperId
from digestmail.model.selection import (
    Beyond,
    Candidate,
    Decision,
    Entry,
    Outcome,
    Rejection,
    Score,
    Selection,
    TopicMatch,
)
from digestmail.selection.keep import Keeper
from digestmail.selection.rules import compile_rules, rejection
from digestmail.selection.score import score
from digestmail.selection.similarity import Similarity, compare
from digestmail.selection.terms import frequencies, terms_of
from digestmail.selection.tokenize import read
from digestmail.selection.topic_model import Judge, TopicModel
from digestmail.selection.topics import admits, compile_rule, excluded_by, match

_OVER = frozenset({Outcome.OVER_TOPIC_LIMIT, Outcome.OVER_LIMIT})


def select(
    candidates: Iterable[Candidate],
    digest: Digest,
    today: date,
    *,
    published: Mapping[PaperId, str],
    last_at: datetime | None = None,
    elsewhere: frozenset[PaperId] = frozenset(),
    models: Mapping[str, TopicModel] | None = None,
) -> Selection:
    """Return the content of an edition of `digest`, and one decision for each paper in `candidates`.

    `published` maps papers to the slot of the edition that contained them. `last_at` is when the last edition was
    composed: later papers are new and come before papers that are left over. Then the order is: higher score, later day
    in its source, later sighting, id. `elsewhere` are papers of other digests, for which some subscribers need
    replacements. `models` are what was learned about topics, by name; of other topics, words are compared.

    Papers that the rules of `digest` leave out are not ranked, and use up no limit. The rules of its sources are not
    applied here, see `rules.admit`.

    An edition keeps the papers that any choice of topics may need under the digest's limits, see `keep.py`. Papers that
    match no topic are kept if the digest is configured so, or if it has no topics. The result does not depend on the
    order of candidates or sources.
    """
    judged = _judge(_unique(candidates), digest, today, models or {})
    chooser = _Chooser(digest, published, last_at, Keeper(digest.limits, elsewhere, has_topics=bool(digest.topics)))
    decided = [(paper, chooser.decide(paper)) for paper in sorted(judged, key=chooser.order)]
    decided.sort(key=lambda pair: (pair[1].rank is None, pair[1].rank or 0, pair[1].paper_id))
    return Selection(
        entries=tuple(_entry(paper, decision) for paper, decision in decided if decision.outcome is Outcome.SELECTED),
        beyond=_beyond(decided),
        decisions=tuple(decision for _, decision in decided),
        others=tuple(
            _entry(paper, decision)
            for paper, decision in decided
            if decision.rank is not None and decision.outcome is not Outcome.SELECTED
        ),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    candidate: Candidate
    matches: tuple[TopicMatch, ...]
    """Best first."""
    below: tuple[TopicMatch, ...]
    excluded: tuple[str, ...]
    score: Score
    rejection: Rejection | None

    @property
    def match(self) -> TopicMatch | None:
        return self.matches[0] if self.matches else None


def _unique(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return each paper once, by id. Of two candidates for a paper, the more complete and later one is used."""
    best: dict[PaperId, Candidate] = {}
    for candidate in candidates:
        rival = best.get(candidate.paper.id)
        if rival is None or _preference(candidate) > _preference(rival):
            best[candidate.paper.id] = candidate
    return [best[paper_id] for paper_id in sorted(best)]


def _preference(candidate: Candidate) -> tuple[date, int, int, str]:
    # The text at the end makes the order total, so that the result does not depend on the input order.
    return candidate.day, candidate.paper.origin, candidate.signals.upvotes or 0, repr(candidate)


def _judge(
    candidates: Sequence[Candidate], digest: Digest, today: date, models: Mapping[str, TopicModel]
) -> Iterator[_Judged]:
    rules = [compile_rule(topic) for topic in digest.topics]
    judge = Judge(models)
    paper_filter = compile_rules(digest.rules)
    texts = [read(candidate.paper) for candidate in candidates]
    compared = compare(texts, [topic for topic in digest.topics if topic.name not in models])
    for candidate, text, row in zip(candidates, texts, compared, strict=True):
        similarities = iter(row)
        judgements = judge.judge(frequencies(terms_of(text))) if models else {}
        matches: list[TopicMatch] = []
        below: list[TopicMatch] = []
        excluded: list[str] = []
        for rule in rules:
            judgement = judgements.get(rule.topic.name)
            similarity = next(similarities) if judgement is None else Similarity()
            found = match(rule, candidate.paper, text, similarity, judgement)
            if found is None:
                continue
            if not admits(rule, found):
                below.append(found)
            elif (word := excluded_by(rule, text)) is None:
                matches.append(found)
            else:
                excluded.append(f"{rule.topic.name}: {word}")
        matches.sort(key=lambda found: -found.strength)
        below.sort(key=lambda found: -found.strength)
        strength = matches[0].strength if matches else None
        yield _Judged(
            candidate=candidate,
            matches=tuple(matches),
            below=tuple(below),
            excluded=tuple(excluded),
            score=score(candidate, strength, digest.weights, today, has_topics=bool(digest.topics)),
            rejection=rejection(paper_filter, candidate.paper, text),
        )


class _Chooser:
    """Processes papers in order and decides about each."""

    def __init__(
        self, digest: Digest, published: Mapping[PaperId, str], last_at: datetime | None, keeper: Keeper
    ) -> None:
        self._published = published
        self._min_score = digest.limits.min_score
        self._open_to_all = digest.also_trending or not digest.topics
        self._last_at = last_at
        self._keeper = keeper
        self._ranked = 0

    def order(self, judged: _Judged) -> tuple[bool, float, int, float, PaperId]:
        """Return the sort key of papers: new ones first, then the best, then the newest."""
        candidate = judged.candidate
        return (
            not self._is_new(candidate),
            -judged.score.total,
            -candidate.day.toordinal(),
            -candidate.came_at.timestamp(),
            candidate.paper.id,
        )

    def _is_new(self, candidate: Candidate) -> bool:
        return self._last_at is None or candidate.came_at > self._last_at

    def decide(self, judged: _Judged) -> Decision:
        paper = judged.candidate.paper
        decision = Decision(
            paper_id=paper.id,
            outcome=Outcome.WITHDRAWN,
            score=judged.score,
            new=self._is_new(judged.candidate),
            match=judged.match,
            other_matches=judged.matches[1:],
            below=judged.below,
            excluded=judged.excluded,
        )
        slot = next((self._published[name] for name in (paper.id, *paper.aliases) if name in self._published), None)
        if slot is not None:
            return replace(decision, outcome=Outcome.PUBLISHED_BEFORE, published_in=slot)
        if paper.withdrawn:
            return decision
        if judged.rejection is not None:
            return replace(decision, outcome=judged.rejection.outcome, rejection=judged.rejection)
        self._ranked += 1
        return replace(decision, outcome=self._outcome(judged), rank=self._ranked)

    def _outcome(self, judged: _Judged) -> Outcome:
        if judged.match is None and not self._open_to_all:
            return Outcome.NO_TOPIC
        if judged.score.total < self._min_score:
            return Outcome.BELOW_MIN_SCORE
        if self._keeper.takes(judged.candidate.paper.id, [match.topic for match in judged.matches]):
            return Outcome.SELECTED
        return self._keeper.refusal


def _beyond(decided: Sequence[tuple[_Judged, Decision]]) -> tuple[Beyond, ...]:
    """Count the qualifying papers that are not kept, by the topics they match."""
    counted = Counter(
        tuple(match.topic for match in judged.matches) for judged, decision in decided if decision.outcome in _OVER
    )
    return tuple(Beyond(topics=topics, papers=papers) for topics, papers in sorted(counted.items()))


def _entry(judged: _Judged, decision: Decision) -> Entry:
    assert decision.rank is not None  # noqa: S101 - only ranked papers become entries
    return Entry(
        paper=judged.candidate.paper,
        signals=judged.candidate.signals,
        score=decision.score,
        rank=decision.rank,
        matches=judged.matches,
    )
