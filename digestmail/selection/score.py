"""Score a paper.

With w for `model.Weights`:

    total = age * (relevance * (w.upvotes * ln(1 + upvotes) + w.comments * ln(1 + comments) + w.stars * ln(1 + stars)
                                + w.growth * ln(1 + new upvotes))
                   + w.topic * strength of the topic match)
    relevance = strength of the topic match; 0.5 if the paper matches none; 1 if the digest has no topics
    age = 0.5 ** (days since the paper's source gave it / w.half_life_days)

Logarithms, because the first upvotes matter more than later ones. Age is a factor, because old upvotes matter less, and
so is relevance, because many upvotes for something else say nothing about the topic.
"""

from __future__ import annotations

import math
from datetime import date

from digestmail.model.digests import Weights
from digestmail.model.selection import Candidate, Score

_NO_TOPIC = 0.5
"""The relevance of a paper that matches none of the digest's topics: that of the weakest match."""


def score(
    candidate: Candidate, match_strength: float | None, weights: Weights, today: date, *, has_topics: bool = True
) -> Score:
    """Return the score of `candidate` on `today`. `match_strength` is its best topic's, 0..1, or None without a topic.

    Unknown and negative counts are 0, and so is growth if either count is unknown. A day in the future counts as today.
    `weights.half_life_days` must be positive.
    """
    signals, earlier = candidate.signals, candidate.earlier
    upvotes = weights.upvotes * _log(signals.upvotes)
    comments = weights.comments * _log(signals.comments)
    stars = weights.stars * _log(signals.stars)
    growth = weights.growth * _log(_growth(signals.upvotes, earlier.upvotes))
    topic = weights.topic * (match_strength or 0.0)
    relevance = match_strength if match_strength is not None else _NO_TOPIC if has_topics else 1.0
    age = 0.5 ** (max(0, (today - candidate.day).days) / weights.half_life_days)
    return Score(
        total=age * (relevance * (upvotes + comments + stars + growth) + topic),
        upvotes=upvotes,
        comments=comments,
        stars=stars,
        growth=growth,
        topic=topic,
        relevance=relevance,
        age=age,
    )


def _log(count: int | None) -> float:
    return math.log1p(max(0, count or 0))


def _growth(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None else now - max(0, before)
