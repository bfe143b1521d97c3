"""Suggests topics: clusters of papers, with the words that set each apart. No labels are needed.

Papers are clustered by spherical k-means (Dhillon and Modha 2001, "Concept decompositions for large sparse text data")
in the reduced space of `selection/space.py`. The first centres are drawn as in k-means++ (Arthur and Vassilvitskii
2007), several times, and the closest clustering is used.

Keywords are the terms that tell most about the cluster: those with the largest p * ln(p / q), where p is the share of
the cluster's papers with the term, and q that of all other papers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from digestmail.model.papers import Paper
from digestmail.selection.space import Floats, PaperSpace, units
from digestmail.selection.terms import terms_as_written
from digestmail.selection.tokenize import Text, read, spelled, stem, words_of

FEWEST_PAPERS = 200
"""With fewer papers, clusters are made of chance."""

_STARTS, _ROUNDS = 10, 100
_KEYWORDS, _EXAMPLES = 5, 3
_SMALLEST = 5
"""The number of papers that make a cluster."""
_LEAST_SHARE, _LEAST_RATIO = 0.05, 2.5
"""A keyword occurs in at least this share of the cluster's papers, and so much more often than in others."""
_PAIR_BONUS = 1.3
"""Pairs of words say more than single words."""
_SHORTEST_WORD = 3
_LONGEST_PHRASE = 4
_USUAL = 0.6
"""A word belongs to a phrase if it is next to it at least so often."""
_LOWER_SHARE = 0.2
_NAMING = 3

_Places = np.typing.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedTopic:
    """A cluster of papers as a topic."""

    name: str
    keywords: tuple[str, ...]
    papers: int
    """The number of papers in the cluster."""
    examples: tuple[str, ...]
    """The titles of the papers nearest to its centre."""


def suggest_topics(
    papers: Sequence[Paper], count: int, *, taken: Collection[str] = (), seed: int = 0
) -> tuple[SuggestedTopic, ...]:
    """Return at most `count` topics, the largest first, with names that are different from each other and `taken`.

    The same papers in the same order give the same topics. Raises ValueError for fewer than `FEWEST_PAPERS` papers,
    and if too few words tell groups of them apart.
    """
    if len(papers) < FEWEST_PAPERS:
        raise ValueError(f"topics are suggested from at least {FEWEST_PAPERS} papers, not {len(papers)}")
    texts = [read(paper) for paper in papers]
    with threadpool_limits(limits=1):
        space = PaperSpace.of(texts)
        labels, centres = _cluster(space.reduced, count, np.random.default_rng(seed))
    names = {name.casefold() for name in taken}
    found = []
    for label in np.argsort(-np.bincount(labels, minlength=count), kind="stable"):
        members = np.flatnonzero(labels == label)
        keywords = _keywords(space, texts, papers, members) if len(members) >= _SMALLEST else ()
        name = next((name for name in _names(keywords) if name.casefold() not in names), None)
        if name is None:
            continue
        names.add(name.casefold())
        nearest = members[np.argsort(-(space.reduced[members] @ centres[label]), kind="stable")]
        titles = dict.fromkeys(papers[place].title for place in nearest)
        found.append(
            SuggestedTopic(name=name, keywords=keywords, papers=len(members), examples=tuple(titles)[:_EXAMPLES])
        )
    return tuple(found)


def _cluster(points: Floats, count: int, random: np.random.Generator) -> tuple[_Places, Floats]:
    """Return the cluster of each point (0..count - 1), and the centres, of the best of several starts."""
    best: tuple[float, _Places, Floats] | None = None
    for _ in range(_STARTS):
        labels, centres = _k_means(points, _first_centres(points, count, random))
        closeness = float(np.sum(points * centres[labels]))
        if best is None or closeness > best[0]:
            best = closeness, labels, centres
    assert best is not None  # noqa: S101 - there is at least one start
    return best[1], best[2]


def _first_centres(points: Floats, count: int, random: np.random.Generator) -> Floats:
    """Draw centres among the points, each with a probability proportional to its distance from those before it."""
    chosen = [int(random.integers(len(points)))]
    distance = 1 - points @ points[chosen[0]]
    for _ in range(count - 1):
        weights = np.maximum(distance, 0)
        total = float(weights.sum())
        chosen.append(int(random.choice(len(points), p=weights / total if total > 0 else None)))
        distance = np.minimum(distance, 1 - points @ points[chosen[-1]])
    return points[chosen]


def _k_means(points: Floats, centres: Floats) -> tuple[_Places, Floats]:
    labels = np.argmax(points @ centres.T, axis=1)
    for _ in range(_ROUNDS):
        members = sparse.csr_matrix(
            (np.ones(len(points)), (labels, np.arange(len(points)))), (len(centres), len(points))
        )
        sums = np.asarray(members @ points)
        empty = np.logical_not(np.any(sums, axis=1, keepdims=True))
        centres = np.where(empty, centres, units(sums))
        moved = np.argmax(points @ centres.T, axis=1)
        if np.array_equal(moved, labels):
            break
        labels = moved
    return labels, centres


def _keywords(space: PaperSpace, texts: Sequence[Text], papers: Sequence[Paper], members: _Places) -> tuple[str, ...]:
    """Return the words and phrases that set a cluster apart, as its papers print them, the most telling first."""
    spellings: dict[str, Counter[str]] = {}
    for place in members:
        for term, words in terms_as_written(texts[place]):
            spellings.setdefault(term, Counter())[words] += 1
    abstracts = [papers[place].abstract for place in members]
    found: list[str] = []
    covered: set[str] = set()
    for term in _telling(space, members):
        words = _most_frequent(spellings[term])
        if not covered.isdisjoint(term.split()) or any(len(word) < _SHORTEST_WORD for word in words.split()):
            continue
        phrase = complete_phrase(words, abstracts) if " " in words else words
        roots = {stem(word) for word in words_of(spelled(phrase or ""))}
        if phrase is not None and covered.isdisjoint(roots):
            covered |= roots
            found.append(as_printed(phrase, abstracts))
        if len(found) == _KEYWORDS:
            break
    return tuple(found)


def _telling(space: PaperSpace, members: _Places) -> Iterator[str]:
    """Yield the terms that are much more frequent in a cluster than outside, the most telling first."""
    occurs = space.occurs
    among = np.asarray(occurs[members].sum(axis=0)).ravel()
    others = occurs.shape[0] - len(members)
    inside = among / len(members)
    outside = (np.asarray(occurs.sum(axis=0)).ravel() - among + 1) / (others + 1)
    ratio = inside / outside
    names = list(space.terms)
    pairs = np.array([" " in name for name in names])
    with np.errstate(divide="ignore", invalid="ignore"):
        telling = np.where(inside > 0, inside * np.log(ratio), 0) * np.where(pairs, _PAIR_BONUS, 1)
    for place in np.argsort(-telling, kind="stable"):
        if telling[place] <= 0:
            return
        if inside[place] >= _LEAST_SHARE and ratio[place] >= _LEAST_RATIO:
            yield names[place]


def _most_frequent(spellings: Counter[str]) -> str:
    return min(spellings, key=lambda words: (-spellings[words], words))


def complete_phrase(words: str, abstracts: Sequence[str]) -> str | None:
    """Return adjacent words as the phrase they are part of; None if they are seldom printed next to each other.

    "supervised fine" becomes "supervised fine tuning" if most abstracts print it so. The words of "generation (RAG)"
    are no phrase.
    """
    if sum(_pattern(words).search(text) is not None for text in abstracts) < _SMALLEST:
        return None
    while len(words.split()) < _LONGEST_PHRASE:
        longer = _usual(words, abstracts)
        if longer is None:
            break
        words = longer
    return words


def _usual(words: str, abstracts: Sequence[str]) -> str | None:
    """Return `words` with the word that usually follows or precedes them; None if there is none."""
    extended = re.compile(rf"(?:(\w+)[\s-]+)?{_pattern(words).pattern}(?:[\s-]+(\w+))?", re.IGNORECASE)
    around = [found.groups() for text in abstracts for found in extended.finditer(text)]
    for side, form in ((1, "{words} {word}"), (0, "{word} {words}")):
        beside = Counter(group[side].casefold() for group in around if group[side])
        word = _most_frequent(beside) if beside else ""
        if stem(word) and beside[word] >= _USUAL * len(around):
            return form.format(words=words, word=word)
    return None


def as_printed(words: str, abstracts: Sequence[str]) -> str:
    """Return words as most abstracts print them, with hyphens and capitals, but in lower case if many do so."""
    printed = Counter(" ".join(found.split()) for text in abstracts for found in _pattern(words).findall(text))
    if not printed:
        return words
    lower = Counter({form: count for form, count in printed.items() if form == form.lower()})
    return _most_frequent(lower if lower.total() >= _LOWER_SHARE * printed.total() else printed)


def _pattern(words: str) -> re.Pattern[str]:
    spaced = r"[\s-]+".join(map(re.escape, words.split()))
    return re.compile(rf"(?<!\w){spaced}(?!\w)", re.IGNORECASE)


def _names(keywords: Sequence[str]) -> Iterator[str]:
    """Yield possible names, the best first: a phrase says more than a word, if it is among the first keywords."""
    phrases = [keyword for keyword in keywords[:_NAMING] if " " in keyword or "-" in keyword]
    for keyword in dict.fromkeys((*phrases, *keywords)):
        yield keyword[:1].upper() + keyword[1:]
