"""The bounce score of an address, which decays over time. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from digestmail.model.subscribers import BounceKind, CountedBounce


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """The weights of bounces, and the score at which an address is suppressed."""

    threshold: float = 1.0
    half_life_days: float = 30.0
    soft: float = 0.2
    """The weight of a soft bounce. A hard bounce has weight 1."""


def score(bounces: Iterable[CountedBounce], now: datetime, scoring: Scoring) -> float:
    """Return the score of one address at `now`. The weight of each bounce halves with every half-life.

    Each edition counts once, with its heaviest bounce, because some servers send several reports about one message. A
    bounce with a future date counts as if it had just arrived. Complaints have no weight: one is enough to suppress.
    """
    weights = {BounceKind.HARD: 1.0, BounceKind.SOFT: scoring.soft}
    heaviest: dict[object, float] = {}
    for number, bounce in enumerate(bounces):
        age = max(now - bounce.at, timedelta(0)) / timedelta(days=scoring.half_life_days)
        weight = weights.get(bounce.kind, 0.0) * 0.5**age
        key = ("edition", bounce.edition_id) if bounce.edition_id is not None else ("report", number)
        heaviest[key] = max(heaviest.get(key, 0.0), weight)
    return sum(heaviest.values())


def reaches_threshold(total: float, scoring: Scoring) -> bool:
    """Return whether a score reaches the threshold, allowing for rounding errors."""
    return total >= scoring.threshold - 1e-9
