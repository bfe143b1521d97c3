"""Picks papers for readers: close to them, unlike each other, and some from outside their known interests.

numpy and scipy are loaded with this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from random import Random

import numpy as np
from numpy.typing import NDArray

from digestmail.model.papers import Paper, PaperId
from digestmail.model.personal import KnownPaper, Pick, PickKind, PickReason, Profile, Taste
from digestmail.selection.closeness import Closeness, ReaderJudgement

_MOST_BY_AUTHORS = 50
_CONSIDERED = 8
"""How many times as many papers as are picked are compared with each other."""
_UNFAMILIAR = 4
"""How many times as many papers from outside the known interests as are picked are drawn from."""
_ALL_AT_ONCE = 2_000
"""Up to so many papers, all are compared with each other once: 16 MB. Of more, those that a reader needs."""
_COPY = 0.7
"""Papers with at least this cosine are copies of each other: only one of them is picked."""
_TIE = 1e-9
_EXPLORATION = Profile().exploration
_EXPLORED = PickReason(kind=PickKind.EXPLORATION)


@dataclass(frozen=True, slots=True)
class Ranked:
    """How close a paper is to a reader."""

    paper_id: PaperId
    closeness: float
    """0 for the average paper of the day, 1 for a standard deviation more."""
    reason: PickReason | None
    """None if the paper is no closer than the average paper."""


class Picker:
    """Picks among the papers of a day. Equal papers and tastes always give equal picks, whoever else there is."""

    def __init__(
        self,
        candidates: Sequence[Paper],
        scores: Sequence[float],
        known: Mapping[int, KnownPaper],
        now: datetime,
        corpus: Iterable[KnownPaper] = (),
    ) -> None:
        """Prepare `candidates`, and how near they are to `known`, the papers that readers have opinions on, by row.

        Of papers that are equally close to a reader, the one with the higher of `scores` is picked. How rare a word is,
        is counted in `candidates` and `corpus`, which should be recent papers of all kinds.
        """
        self._papers = candidates
        self._closeness = Closeness(candidates, known, now, corpus)
        self._by_score = np.argsort(-np.array(scores, dtype=float), kind="stable")
        self._ties = _TIE * np.argsort(np.argsort(np.array(scores, dtype=float), kind="stable"), kind="stable")

    def pick(self, tastes: Iterable[Taste], most: int) -> list[tuple[Pick, ...]]:
        """Return up to `most` papers for each of `tastes`, best first; none that is no closer than the average paper.

        Papers by followed authors come first, even if there are more than `most`. The last ones are from outside the
        known interests, if the reader wants a share of them: papers with a high score that are no closer than the
        average paper, neither to what they like nor to what they dislike. Papers of the reader's lists are not picked.
        Nothing is picked if nothing is known about a reader.
        """
        return [tuple(self._pick(taste, most)) for taste in tastes]

    def rank(self, taste: Taste) -> list[Ranked]:
        """Return all papers that may be picked for a reader, the closest first."""
        reader = self._closeness.judge(taste)
        return [
            Ranked(self._papers[place].id, round(float(reader.closeness[place]), 3), reason)
            for place in self._in_order(reader)
            for reason in (self._closeness.reason(reader, place),)
        ]

    def _pick(self, taste: Taste, most: int) -> Iterator[Pick]:
        reader = self._closeness.judge(taste)
        order = self._in_order(reader)
        by_authors = (place for place in order if place in reader.by_authors) if reader.by_authors else ()
        first = list(islice(by_authors, _MOST_BY_AUTHORS))
        room = max(most - len(first), 0)
        chance = _chance(taste.seed)
        number = min(explored_places(most, _exploration(taste), chance.random()), room)
        outside = self._outside(reader, first, most) if number and reader.parts else []
        unfamiliar = chance.sample(outside, min(number, len(outside)))
        close = self._unlike_each_other(reader, order, first, room - len(unfamiliar))
        for place in (*first, *close):
            reason = self._closeness.reason(reader, place)
            if reason is not None:
                yield self._as_pick(place, reason)
        for place in unfamiliar:
            yield self._as_pick(place, _EXPLORED)

    def _as_pick(self, place: int, reason: PickReason) -> Pick:
        return Pick(paper_id=self._papers[place].id, reason=reason)

    def _in_order(self, reader: ReaderJudgement) -> list[int]:
        """Return the papers that may be picked, the closest first."""
        values = reader.closeness + self._ties
        order: list[int] = np.argsort(-values, kind="stable").tolist()
        return order[: int(np.isfinite(values).sum())]

    def _outside(self, reader: ReaderJudgement, first: Sequence[int], most: int) -> list[int]:
        """Return the papers from outside the known interests that are drawn from, by score."""
        outside = (reader.closeness <= 0) & np.isfinite(reader.closeness)
        if reader.disliked is not None:
            outside &= reader.disliked <= 0
        outside[list(first)] = False
        found: list[int] = self._by_score[outside[self._by_score]][: _UNFAMILIAR * most].tolist()
        return found

    def _unlike_each_other(
        self, reader: ReaderJudgement, order: Sequence[int], first: Sequence[int], most: int
    ) -> list[int]:
        """Return up to `most` papers that are closer than average, each unlike `first` and those before it.

        What a paper has in common with an earlier one reduces its closeness (maximal marginal relevance, Carbonell and
        Goldstein, SIGIR 1998).
        """
        closer = order[: int(np.count_nonzero(reader.closeness > 0))]
        taken = set(first)
        near = list(islice((place for place in closer if place not in taken), _CONSIDERED * most))
        left = np.array(near, dtype=np.intp)
        values = reader.closeness[left]
        common = self._between(np.array(first, dtype=np.intp), left).max(axis=0, initial=0)
        found: list[int] = []
        while len(found) < min(most, len(near)):
            worth = np.where(common < _COPY, values * (1 - common), 0)
            best = int(np.argmax(worth))
            if worth[best] <= 0:
                break
            found.append(near[best])
            values[best] = 0
            common = np.maximum(common, self._between(left[best : best + 1], left)[0])
        return found

    def _between(self, places: NDArray[np.intp], others: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return the cosine of each paper at `places` and each one at `others`."""
        if len(self._papers) > _ALL_AT_ONCE:
            return self._closeness.between(places, others)
        among: NDArray[np.float32] = self._among[np.ix_(places, others)]
        return among

    @cached_property
    def _among(self) -> NDArray[np.float32]:
        every = np.arange(len(self._papers))
        return self._closeness.between(every, every)


def _exploration(taste: Taste) -> float:
    return taste.profile.exploration if taste.profile else _EXPLORATION


def _chance(seed: str) -> Random:
    return Random(int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest()))  # noqa: S311 - no secret


def explored_places(most: int, share: float, drawn: float) -> int:
    """Return how many of `most` picks are from outside the known interests: on average `share` of them.

    Unless a reader wants nothing else (a share of 1), one place is left for what is close to them: a section with one
    pick would otherwise be only something different, now and then. `drawn` is a random number from 0 to below 1.
    """
    return min(int(most * share + drawn), most if share >= 1 else most - 1)
