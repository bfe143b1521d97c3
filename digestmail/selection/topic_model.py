"""A learned topic: how likely a paper is about it, and because of which words.

A model gives each term a weight. The paper's sum of `frequencies` times weights is its position on the topic's scale,
and a logistic function makes a probability of it. `selection/learning.py` learns models.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from digestmail.model.digests import Topic
from digestmail.selection.terms import each_word_once

_METHOD = 1
"""Changes when models are learned in another way, so that stored ones are replaced."""
FAINTEST = 0.1
"""Weaker evidence than this is not mentioned."""
_WORDS_NAMED = 5
_LEAST_SHARE = 0.02
"""A word is only named if it contributes at least this share of the sum of what speaks for the topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicModel:
    """A linear model of a topic over terms."""

    weights: Mapping[str, float]
    """By term, with the term's rarity included."""
    slope: float
    offset: float
    """probability = logistic(slope * sum + offset)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How likely a paper is about a topic (0..1), and the terms that say so most, strongest first."""

    probability: float
    terms: tuple[str, ...]


def learns(topic: Topic) -> bool:
    """Return whether a model can be learned for `topic`: it needs keywords or a description to start from."""
    return topic.learn and bool(topic.keywords or topic.description.strip())


def embedded_words(topic: Topic) -> str:
    """Return the text whose embedding stands for `topic`."""
    return ". ".join(filter(None, (topic.name, topic.description.strip(), ", ".join(topic.keywords))))


def fingerprint(topic: Topic) -> str:
    """Return the identity of what a model is learned from: two topics with the same words share a model."""
    content = json.dumps([_METHOD, topic.name, topic.description, sorted(set(topic.keywords))])
    return hashlib.sha256(content.encode()).hexdigest()


class Judge:
    """Judges texts by several models at once."""

    def __init__(self, models: Mapping[str, TopicModel]) -> None:
        """Prepare `models`, by topic."""
        self._models = dict(models)
        self._weights: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
        for topic, model in self._models.items():
            for term, weight in model.weights.items():
                self._weights[term].append((topic, weight))

    def judge(self, terms: Mapping[str, float]) -> dict[str, Judgement]:
        """Return how likely a text with `terms` (weights by term, see `frequencies`) is about each topic."""
        positions = dict.fromkeys(self._models, 0.0)
        for term, share in terms.items():
            for topic, weight in self._weights.get(term, ()):
                positions[topic] += share * weight
        return {topic: _judgement(model, positions[topic], terms) for topic, model in self._models.items()}


def _judgement(model: TopicModel, position: float, terms: Mapping[str, float]) -> Judgement:
    probability = _logistic(model.slope * position + model.offset)
    return Judgement(probability=probability, terms=_carriers(model, terms) if probability >= FAINTEST else ())


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > -700 else 0.0  # noqa: PLR2004 - exp overflows at 710


def _carriers(model: TopicModel, terms: Mapping[str, float]) -> tuple[str, ...]:
    """Return the terms that contribute most, each word once."""
    parts = {term: share * model.weights.get(term, 0.0) for term, share in terms.items()}
    speaking = sorted((term for term in parts if parts[term] > 0), key=lambda term: (-parts[term], term))
    least = _LEAST_SHARE * math.fsum(parts[term] for term in speaking)
    strong = (term for term in speaking if parts[term] >= least)
    return tuple(islice(each_word_once(strong), _WORDS_NAMED))


def dump(model: TopicModel) -> str:
    """Return a model as JSON text, the terms in order."""
    return json.dumps(
        {
            "slope": model.slope,
            "offset": model.offset,
            "weights": dict(sorted(model.weights.items())),
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def load(content: str) -> TopicModel:
    """Return the model that `dump` wrote."""
    return TopicModel(**json.loads(content))
