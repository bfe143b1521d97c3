"""Picks papers for single readers. A stand-in with the interface of the model that will replace it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from digestmail.model.papers import Paper, PaperId
from digestmail.model.personal import KnownPaper, Opinion, Pick, PickKind, PickReason, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """What is known about a reader's interests."""

    opinions: tuple[Opinion, ...]
    """Feedback, in any order."""
    profile: Profile | None
    without: frozenset[PaperId]
    """Papers that must not be picked: received before, or rated."""
    seed: str
    """For exploration: digest, slot, subscriber id."""


class Picker:
    """Picks the papers of a slot for readers."""

    def __init__(
        self, candidates: Sequence[Paper], scores: Sequence[float], known: Mapping[int, KnownPaper], now: datetime
    ) -> None:
        """`scores` are the general scores of `candidates`; `known` are the texts of rated papers, by row."""
        del now
        self._candidates = candidates
        self._words = [_words(paper.title, paper.abstract) for paper in candidates]
        self._scores = np.asarray(scores, dtype=float)
        self._known = {row_id: (paper.title, _words(paper.title, paper.abstract)) for row_id, paper in known.items()}

    def pick(self, tastes: Sequence[Taste], most: int) -> list[tuple[Pick, ...]]:
        """Return at most `most` papers for each taste, best first."""
        return [self._pick(taste, most) for taste in tastes]

    def _pick(self, taste: Taste, most: int) -> tuple[Pick, ...]:
        ranked = []
        for index, paper in enumerate(self._candidates):
            found = None if paper.id in taste.without else self._reason(index, taste)
            if found is not None:
                ranked.append((-found[0], -float(self._scores[index]), paper.id, found[1]))
        ranked.sort(key=lambda one: one[:3])
        return tuple(Pick(paper_id=paper_id, reason=reason) for _, _, paper_id, reason in ranked[:most])

    def _reason(self, index: int, taste: Taste) -> tuple[float, PickReason] | None:
        words, profile = self._words[index], taste.profile
        if profile is not None and any(word in words for word in profile.blocked_words):
            return None
        followed = set(profile.authors if profile else ()) & set(self._candidates[index].authors)
        if followed:
            return 100.0, PickReason(kind=PickKind.AUTHOR, names=tuple(sorted(followed)))
        best: tuple[float, PickReason] | None = None
        for opinion in sorted(taste.opinions, key=lambda one: one.row_id):
            title, theirs = self._known[opinion.row_id]
            shared = len(words & theirs)
            if shared and opinion.liked and (best is None or shared > best[0]):
                best = (shared, PickReason(kind=PickKind.LIKED, title=title))
            if shared and not opinion.liked:
                return None
        for known in profile.papers if profile else ():
            shared = len(words & _words(known.title, known.abstract))
            if shared and (best is None or shared > best[0]):
                best = (shared, PickReason(kind=PickKind.READING_LIST, title=known.title))
        interests = words & _words(profile.interests, "") if profile else set()
        if interests and best is None:
            best = (1.0, PickReason(kind=PickKind.INTERESTS, names=tuple(sorted(interests))[:3]))
        return best


def _words(title: str, abstract: str) -> set[str]:
    return set(f"{title} {abstract}".lower().split())
