"""Lexical similarity: recognizes papers that describe a topic in other words than its keywords.

similarity = 1 - exp(-STRETCH * q . d / (|q| * sqrt(u)) * (1 - 2 ** -n))

q and d are TF-IDF vectors over stems: q of the topic's name, description and keywords, d of the paper's title, abstract
and keywords, both with weights (1 + ln tf) * idf. u is the number of distinct words of the paper, at least 40, and
approximates the length of d. In measurements it ranks papers as well as the true length, which would need the idf of
every word of every paper, and the scale does not depend on the number of papers in a day (30 to 1,500). n is the number
of shared stems, because a single word is weak evidence. The exponential spreads a scale that is crowded near zero,
because no abstract closely resembles a line of description. Of papers without a keyword, more than half of those at 0.5
or above belong to the topic (`tests/real/test_topics.py`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from digestmail.model.digests import Topic
from digestmail.selection.tokenize import STEM_HEAD, Text, spelled, stem, words_of

_STRETCH = 2.3
_SHORTEST = 40
"""The minimum number of distinct words, so that a title alone that shares two words does not count as similar."""
_CARRIERS_NAMED = 5

_BACKGROUND = 50
"""The weight of the background frequencies in papers, because a few papers do not show which words are common."""
_ELSEWHERE = 0.01
"""The share of papers in which an average word occurs."""
_COMMON_SHARE = 0.3
_COMMON_WORDS = """
achieve address analysis analyze apply approach based consider data demonstrate develop different effect estimate
evaluate existing experiment find framework general high improve introduce investigate large learn level method model
novel observe obtain paper perform performance predict present problem process propose provide reduce relate remain
report require research result set show shown significant simulate state structure study system task technique test
theory time train value work
"""
_COMMON = frozenset(map(stem, _COMMON_WORDS.split()))
"""Stems that many abstracts of any field contain. The first papers do not show that yet."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """The similarity of a text to a topic, 0..1, and the words that contribute most, strongest first."""

    value: float = 0.0
    words: tuple[str, ...] = ()


_NONE = Similarity()


def compare(texts: Sequence[Text], topics: Sequence[Topic]) -> list[tuple[Similarity, ...]]:
    """Return the similarity of each text to each topic. Word frequencies are learned from the texts."""
    queries = [_stems_of(topic) for topic in topics]
    carriers = _carriers(texts, frozenset().union(*queries))
    shared = [_shared(text, carriers) for text in texts]
    frequency = Counter(root for found in shared for root in found)
    weighted = [_weighted(query, frequency, len(texts)) for query in queries]
    return [
        tuple(_similarity(query, found, math.sqrt(max(len(text.words), _SHORTEST))) for query in weighted)
        for text, found in zip(texts, shared, strict=True)
    ]


def _stems_of(topic: Topic) -> Counter[str]:
    if not topic.description.strip():
        return Counter()
    words = words_of(spelled(" ".join((topic.name, topic.description, *topic.keywords))))
    return Counter(root for word in words if (root := stem(word)))


def _carriers(texts: Sequence[Text], roots: frozenset[str]) -> dict[str, str]:
    """Return the stem of every word that shares one with a topic. Few words need stemming."""
    heads = {root[:STEM_HEAD] for root in roots}
    words = set().union(*(text.words for text in texts)) if roots else set()
    return {word: root for word in words if word[:STEM_HEAD] in heads and (root := stem(word)) in roots}


def _shared(text: Text, carriers: dict[str, str]) -> dict[str, tuple[int, str]]:
    """Return how often each stem occurs in the text, and its most frequent word."""
    found: dict[str, tuple[int, str]] = {}
    for word in sorted(carriers.keys() & text.words.keys(), key=lambda word: (text.words[word], word)):
        count, _ = found.get(carriers[word], (0, ""))
        found[carriers[word]] = (count + text.words[word], word)
    return found


@dataclass(frozen=True, slots=True)
class _Query:
    weights: dict[str, float]
    """By stem: the topic's weight times the stem's idf, so that a paper only contributes its own (1 + ln tf)."""
    length: float


def _weighted(query: Counter[str], frequency: Counter[str], total: int) -> _Query:
    idf = {root: _idf(root, frequency[root], total) for root in query}
    own = {root: (1 + math.log(count)) * idf[root] for root, count in query.items()}
    return _Query(
        weights={root: weight * idf[root] for root, weight in own.items()},
        length=math.sqrt(math.fsum(weight * weight for weight in own.values())),
    )


def _idf(root: str, frequency: int, total: int) -> float:
    common = _BACKGROUND * (_COMMON_SHARE if root in _COMMON else _ELSEWHERE)
    return math.log((total + _BACKGROUND + 1) / (frequency + common + 0.5))


def _similarity(query: _Query, found: dict[str, tuple[int, str]], text_length: float) -> Similarity:
    parts = {
        found[root][1]: query.weights[root] * (1 + math.log(found[root][0]))
        for root in query.weights.keys() & found.keys()
    }
    if not parts:
        return _NONE
    # fsum, because the sum must not depend on the order of a set.
    closeness = math.fsum(parts.values()) / (query.length * text_length) * (1 - 0.5 ** len(parts))
    words = sorted(parts, key=lambda word: (-parts[word], word))[:_CARRIERS_NAMED]
    return Similarity(value=1 - math.exp(-_STRETCH * closeness), words=tuple(words))
