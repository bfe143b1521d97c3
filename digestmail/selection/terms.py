"""The terms of a text that topics are learned from: the stems of its words, and pairs of stems that are adjacent."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from digestmail.selection.tokenize import Text, stem, words_of

_TITLE = 2
"""How often a term in the title counts."""


def terms_of(text: Text) -> Counter[str]:
    """Return how often each term occurs in the title and the abstract."""
    roots = {word: stem(word) for word in text.words}
    found: Counter[str] = Counter()
    for part in (text.title, *[text.title] * (_TITLE - 1), text.body):
        stems = [roots[word] for word in words_of(part)]
        found.update(filter(None, stems))
        found.update(f"{one} {other}" for one, other in pairwise(stems) if one and other)
    return found


def frequencies(terms: Counter[str]) -> dict[str, float]:
    """Return the weight of each term in its text: 1 + ln(count), divided by the length of this vector."""
    damped = {term: 1 + math.log(count) for term, count in terms.items()}
    length = math.sqrt(math.fsum(weight * weight for weight in damped.values()))
    return {term: weight / length for term, weight in damped.items()}


def terms_as_written(text: Text) -> Iterator[tuple[str, str]]:
    """Yield each occurrence of a term, and how it is written there."""
    yield from _terms(text.title)
    yield from _terms(text.body)


def each_word_once(ranked: Iterable[str]) -> Iterator[str]:
    """Yield terms without those that share a word with an earlier one: a pair stands for its words."""
    covered: set[str] = set()
    for term in ranked:
        words = term.split()
        if covered.isdisjoint(words):
            covered.update(words)
            yield term


def written(terms: Sequence[str], text: Text) -> tuple[str, ...]:
    """Return how the text writes `terms` of it, each where it occurs first."""
    found: dict[str, str] = {}
    missing = set(terms)
    for term, words in terms_as_written(text) if terms else ():
        if term in missing:
            found[term] = words
            missing.discard(term)
            if not missing:
                break
    return tuple(found[term] for term in terms if term in found)


def _terms(part: str) -> Iterator[tuple[str, str]]:
    """Yield the terms of a normalized text, and the words of each."""
    before, before_written = "", ""
    for word in words_of(part):
        root = stem(word)
        if root:
            yield root, word
            if before:
                yield f"{before} {root}", f"{before_written} {word}"
        before, before_written = root, word
