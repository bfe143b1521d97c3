"""When bounces are enough: a score that fades. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from digestmail.model.subscribers import BounceKind, CountedBounce


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What a bounce weighs, and how much of it suppresses an address."""

    threshold: float = 1.0
    half_life_days: float = 30.0
    soft: float = 0.2
    """What a soft bounce weighs; a hard one weighs 1."""


def score(bounces: Iterable[CountedBounce], now: datetime, scoring: Scoring) -> float:
    """Return what `bounces` of one address weigh together at `now`, each halved with every half-life since.

    An edition counts once, by its heaviest bounce: some servers send three reports about one mail. A bounce dated in
    the future counts as one of now. Complaints have no weight here; they suppress by themselves.
    """
    weights = {BounceKind.HARD: 1.0, BounceKind.SOFT: scoring.soft}
    heaviest: dict[object, float] = {}
    for number, bounce in enumerate(bounces):
        age = max(now - bounce.at, timedelta(0)) / timedelta(days=scoring.half_life_days)
        weight = weights.get(bounce.kind, 0.0) * 0.5**age
        key = ("edition", bounce.edition_id) if bounce.edition_id is not None else ("report", number)
        heaviest[key] = max(heaviest.get(key, 0.0), weight)
    return sum(heaviest.values())


def is_enough(total: float, scoring: Scoring) -> bool:
    """Return whether a score suppresses; what rounding takes away does not save an address."""
    return total >= scoring.threshold - 1e-9
