"""How close the papers of a day are to a reader, by what they liked, what they read and what they say about themselves.

Closeness is the mean of up to three parts, each relative to the other papers of the day:

- opinions: the mean cosine with the papers they liked, less 0.15 times that with the papers they disliked (Rocchio). An
  opinion counts half after 180 days.
- reading lists: the mean cosine with all of the papers, and half of that with the five nearest.
- interests: the cosine with the text.

`benchmarks/choosing.py` measures it. numpy and scipy are loaded with this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digestmail.model.papers import Paper
from digestmail.model.personal import KnownPaper, PickKind, PickReason, Profile, Taste
from digestmail.selection.authors import AuthorIndex
from digestmail.selection.nearness import Nearness
from digestmail.selection.phrases import compile_phrase, occurs_in
from digestmail.selection.term_weights import TermWeights
from digestmail.selection.terms import written
from digestmail.selection.tokenize import Text, read, read_text, title_key

Scores = NDArray[np.float64]

_HALF_LIFE = timedelta(days=180)
_DISLIKED = 0.15
_NEAREST, _NEAREST_SHARE = 5, 0.5
_WORDS_NAMED = 3
_AUTHORS_NAMED = 3
_MOST_OPINIONS = 1_000
"""Of those on liked papers, and of those on disliked ones: the latest."""
_SAME = 1e-9
"""A smaller standard deviation is rounding."""


@dataclass(frozen=True, slots=True)
class ReaderJudgement:
    """How close the papers of a day are to one reader."""

    closeness: Scores
    """By paper: 0 is the average of the day, 1 a standard deviation more; -inf for papers that must not be picked."""
    disliked: Scores | None
    """By paper, how close it is to those that they disliked: 0 is the average of the day. None if there are none."""
    parts: tuple[_Part, ...]
    by_authors: Mapping[int, tuple[str, ...]]
    """The papers by followed authors, and who they are."""


@dataclass(frozen=True, slots=True)
class _Part:
    kind: PickKind
    values: Scores
    """By paper: 0 is the average of the day."""
    similar: NDArray[np.float32]
    """Known papers by papers of the day: how near they are, times how much they count."""
    titles: Sequence[str] = ()
    """Of all known papers of the kind."""
    rows: Sequence[int] = ()
    """Which of them `similar` has."""
    interests: Text | None = None
    reasons: dict[int, PickReason] = field(default_factory=dict)
    """Those given so far: because of `interests` by paper, because of a known paper by its row. Readers share them."""


@dataclass(frozen=True, slots=True)
class _Own:
    """What a profile means for the papers of the day."""

    parts: tuple[_Part, ...] = ()
    by_authors: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()
    """Papers that contain a blocked word or are in a reading list."""


class Closeness:
    """Judges the papers of a day for readers. What it says about one reader does not depend on the others."""

    def __init__(
        self, papers: Sequence[Paper], known: Mapping[int, KnownPaper], now: datetime, corpus: Iterable[KnownPaper]
    ) -> None:
        """Prepare `papers` and how near they are to `known`, the papers that readers have opinions on, by row.

        How rare a word is, is counted in `papers` and `corpus`.
        """
        self._texts = [read(paper) for paper in papers]
        background = (read_text(paper.title, paper.abstract) for paper in corpus)
        self._nearness = Nearness(self._texts, TermWeights(chain(self._texts, background)))
        self._places = {paper.id: place for place, paper in enumerate(papers)}
        self._by_title: dict[str, list[int]] = {}
        for place, paper in enumerate(papers):
            self._by_title.setdefault(title_key(paper.title), []).append(place)
        self._by_title.pop("", None)
        self._rows = {row_id: row for row, row_id in enumerate(known)}
        self._titles = [paper.title for paper in known.values()]
        self._liked: dict[int, PickReason] = {}
        self._near_known = self._nearness.to(map(_text, known.values()))
        self._authors = AuthorIndex(papers)
        self._now = now
        self._with_word: dict[str, frozenset[int]] = {}
        self._last_own: tuple[Profile, _Own] | None = None

    def between(self, places: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the cosine of each paper of the day at `places` and each one at `others`."""
        return self._nearness.between(places, others)

    def judge(self, taste: Taste) -> ReaderJudgement:
        """Return how close the papers are to a reader."""
        own = self._own(taste.profile) if taste.profile else _Own()
        liked, disliked = self._opinions(taste, liked=True), self._opinions(taste, liked=False)
        against = disliked.similar.sum(axis=0) if disliked.rows else np.zeros(len(self._texts))
        standard_against = _standard(against) if disliked.rows else None
        parts = own.parts
        if liked.rows:
            parts = (replace(liked, values=_standard(liked.similar.sum(axis=0) - _DISLIKED * against)), *parts)
        closeness = np.zeros(len(self._texts)) if parts or own.by_authors else np.full(len(self._texts), -np.inf)
        for part in parts:
            closeness += part.values / len(parts)
        if standard_against is not None and not liked.rows:
            closeness -= _DISLIKED * standard_against
        left_out = {self._places[one] for one in taste.without if one in self._places} | own.left_out
        closeness[sorted(left_out)] = -np.inf
        return ReaderJudgement(closeness, standard_against, parts, own.by_authors)

    def reason(self, reader: ReaderJudgement, place: int) -> PickReason | None:
        """Return what speaks most for a paper; None if it is no closer than the average paper."""
        if place in reader.by_authors:
            return PickReason(kind=PickKind.AUTHOR, names=reader.by_authors[place][:_AUTHORS_NAMED])
        best = max(reader.parts, key=lambda part: part.values[place], default=None)
        if best is None or best.values[place] <= 0:
            return None
        if best.interests is None:
            row = best.rows[int(best.similar[:, place].argmax())]
            if row not in best.reasons:
                best.reasons[row] = PickReason(kind=best.kind, title=best.titles[row])
            return best.reasons[row]
        if place not in best.reasons:
            terms = self._nearness.shared(best.interests, place, _WORDS_NAMED)
            best.reasons[place] = PickReason(kind=best.kind, names=written(terms, self._texts[place]))
        return best.reasons[place]

    def _opinions(self, taste: Taste, *, liked: bool) -> _Part:
        """Return the papers a reader liked or disliked, so that `similar` adds up to the weighted mean."""
        known = (one for one in taste.opinions if one.liked is liked and one.row_id in self._rows)
        latest = sorted(known, key=lambda one: (one.given_at, one.row_id))[-_MOST_OPINIONS:]
        found = sorted((self._rows[one.row_id], one.given_at) for one in latest)
        rows = [row for row, _ in found]
        ages = np.array([(self._now - given_at) / _HALF_LIFE for _, given_at in found])
        weights = np.exp2(-np.maximum(ages, 0))
        similar = self._near_known[rows] * (weights / max(weights.sum(), 1e-9)).astype(np.float32)[:, None]
        return _Part(PickKind.LIKED, np.zeros(0), similar, self._titles, rows, reasons=self._liked)

    def _own(self, profile: Profile) -> _Own:
        # Readers without a profile share the operator's, so that the same one often comes several times in a row.
        if self._last_own is None or self._last_own[0] is not profile:
            self._last_own = profile, self._prepare(profile)
        return self._last_own[1]

    def _prepare(self, profile: Profile) -> _Own:
        by_authors: dict[int, dict[str, None]] = {}
        for author in profile.authors:
            for place, name in self._authors.find(author):
                by_authors.setdefault(place, {})[name] = None
        blocked = frozenset[int]().union(*map(self._containing, profile.blocked_words))
        known = {place for paper in profile.papers for place in self._by_title.get(title_key(paper.title), ())}
        names = {place: tuple(found) for place, found in by_authors.items()}
        return _Own(tuple(self._parts(profile)), names, blocked | known)

    def _parts(self, profile: Profile) -> Iterator[_Part]:
        if profile.papers:
            similar = self._nearness.to(map(_text, profile.papers))
            nearest = np.sort(similar, axis=0)[-_NEAREST:].mean(axis=0)
            values = _standard(similar.mean(axis=0) + _NEAREST_SHARE * nearest)
            titles = [paper.title for paper in profile.papers]
            yield _Part(PickKind.READING_LIST, values, similar, titles, range(len(titles)))
        if profile.interests:
            interests = read_text("", profile.interests)
            similar = self._nearness.to([interests])
            yield _Part(PickKind.INTERESTS, _standard(similar[0]), similar, interests=interests)

    def _containing(self, word: str) -> frozenset[int]:
        """Return the papers that contain a word or phrase."""
        if word not in self._with_word:
            phrase = compile_phrase(word)
            found = (place for place, text in enumerate(self._texts) if occurs_in(phrase, text))
            self._with_word[word] = frozenset(found)
        return self._with_word[word]


def _text(paper: KnownPaper) -> Text:
    return read_text(paper.title, paper.abstract)


def _standard(values: NDArray[np.floating[Any]]) -> Scores:
    """Return values less their mean, in standard deviations; zeros if all are equal."""
    exact = values.astype(np.float64)
    spread = exact.std() if exact.size else 0.0
    return (exact - exact.mean()) / spread if spread > _SAME else np.zeros_like(exact)
