"""Learns what topics are about, from the papers of the database and without labels.

1. The papers become TF-IDF vectors over terms (`selection/terms.py`). Document frequencies come from these papers.
2. A singular value decomposition of all vectors (latent semantic analysis, Deerwester et al. 1990) puts words that
   occur in the same papers close together.
3. For each topic, papers are seeds that contain its keywords or resemble its description. The centre of the best seeds
   in the reduced space, less the centre of all papers (Rocchio 1971), gives every paper a position; what the seeds say
   is added, then what the words of the nearest papers say (naive Bayes). If papers have embeddings, what these say is
   added before the words of the nearest papers (`selection/embedded.py`).
4. A ridge regression of these positions on the terms gives the weight of each term, which makes the model small, fast
   and readable.
5. A logistic function makes a probability of the position. It is fitted to which papers are certain seeds. Papers
   without a keyword can be about the topic, too: how many are follows from how the share of certain seeds grows towards
   the topic (Elkan and Noto 2008, "Learning classifiers from only positive and unlabeled data").

The result is deterministic: the same papers in the same order give the same models. `docs/choosing.md` has figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.sparse.linalg import lsqr
from scipy.special import expit
from threadpoolctl import threadpool_limits

from digestmail.model.digests import Topic
from digestmail.selection.embedded import EmbeddedPapers
from digestmail.selection.phrases import Phrase, compile_phrase, count, count_in_title
from digestmail.selection.space import Floats, PaperSpace
from digestmail.selection.tokenize import Text, read_text
from digestmail.selection.topic_model import TopicModel

FEWEST_PAPERS = 500
"""With fewer papers, what is learned is worse than keywords alone."""

_SEEDS_SHARE = 1 / 60
_FEWEST_SEEDS, _MOST_SEEDS = 15, 100
_LAST_SEED = 0.2
"""The weight of the last seed; the first has 1."""
_SEED_KEYWORDS, _SEED_SIMILARITY = 0.1, 5.0
_TITLE_COUNTS, _BODY_COUNTS = 3, 3
_PART_OF_SEEDS, _PART_OF_WORDS, _PART_OF_EMBEDDINGS = 0.3, 0.6, 1.0
_PRIOR = 5
"""How many papers the frequency of a word in all papers counts for, among the nearest."""
_RIDGE = 0.3
_ROUNDS = 100
_RIDGE_ROUNDS = 30
_NEWTON_ROUNDS = 50
_CONVERGED = 1e-6
_SETTLED = 1e-4
_WEIGHTS_KEPT = 1000
_CERTAIN_HITS = 2
"""The number of keyword occurrences that make a paper a certain seed; one in the title is enough."""
_CERTAIN_SIMILARITY, _CERTAIN_SHARED = 0.15, 3
"""The cosine with the topic's words that makes a paper a certain seed, if at least so many words are shared."""
_DIGITS = 5


def learn(
    texts: Sequence[Text],
    topics: Sequence[Topic],
    embeddings: Sequence[bytes] = (),
    topic_embeddings: Sequence[bytes] = (),
) -> list[TopicModel | None]:
    """Return the model of each topic, learned from at least `FEWEST_PAPERS` texts.

    It is None for a topic that too few of the papers are certainly about. `embeddings` are those of the texts and
    `topic_embeddings` those of the topics' words (`topic_model.embedded_words`), as little-endian 16-bit floats; empty
    where there is none. Without any, or with embeddings of fewer than `FEWEST_PAPERS` texts, only words count.

    Raises ValueError if there are fewer texts.
    """
    if len(texts) < FEWEST_PAPERS:
        raise ValueError(f"topics are learned from at least {FEWEST_PAPERS} papers, not {len(texts)}")
    # One thread: more of them only wait for each other here, and add in an order that is not always the same.
    with threadpool_limits(limits=1):
        space = PaperSpace.of(texts)
        embedded = EmbeddedPapers.of(embeddings, FEWEST_PAPERS)
        return [
            _learn(space, topic, texts, embedded, vector)
            for topic, vector in zip(topics, topic_embeddings or [b""] * len(topics), strict=True)
        ]


def _learn(
    space: PaperSpace, topic: Topic, texts: Sequence[Text], embedded: EmbeddedPapers | None, vector: bytes
) -> TopicModel | None:
    keywords = [compile_phrase(keyword) for keyword in topic.keywords]
    hits = np.array([_hits(keywords, text) for text in texts], dtype=float)
    words = read_text("", " . ".join((topic.name, topic.description, *topic.keywords)))
    similarity, shared = space.similarity(words)
    certain = (hits >= _CERTAIN_HITS) | ((similarity >= _CERTAIN_SIMILARITY) & (shared >= _CERTAIN_SHARED))
    if certain.sum() < _FEWEST_SEEDS:
        return None
    seeds = _SEED_KEYWORDS * hits + _SEED_SIMILARITY * similarity
    weights = _seed_weights(len(texts), int(certain.sum()))
    near = _near_seeds(space, seeds, weights)
    positions = _standard(near) + _PART_OF_SEEDS * _standard(seeds)
    if embedded is not None:
        positions += _PART_OF_EMBEDDINGS * _standard(embedded.positions(seeds, weights, vector))
    positions = _standard(positions)
    positions += _PART_OF_WORDS * _standard(_words_of_nearest(space, positions, 2 * len(weights)))
    damping = math.sqrt(_RIDGE * float(np.mean(space.lengths**2)))
    by_term = lsqr(space.vectors, positions - positions.mean(), damp=damping, iter_lim=_RIDGE_ROUNDS)[0]
    by_term[np.argsort(-np.abs(by_term), kind="stable")[_WEIGHTS_KEPT:]] = 0
    slope, offset = _calibrate(space.vectors @ by_term, certain.astype(float), near, len(weights))
    rarity, terms = space.rarity, space.terms
    return TopicModel(
        weights={term: _rounded(by_term[at] * rarity[at]) for term, at in terms.items() if by_term[at]},
        slope=_rounded(slope),
        offset=_rounded(offset),
    )


def _hits(keywords: Sequence[Phrase], text: Text) -> int:
    """Return how often the keywords occur: each time in the title counts three times, and at most three in the body."""
    return sum(
        _TITLE_COUNTS * count_in_title(phrase, text) + min(_BODY_COUNTS, count(phrase, text)) for phrase in keywords
    )


def _seed_count(papers: int, certain: int) -> int:
    """Return how many seeds to use: no more than there are certain ones, because the next only share some words."""
    return min(_MOST_SEEDS, max(_FEWEST_SEEDS, min(certain, int(papers * _SEEDS_SHARE))))


def _seed_weights(papers: int, certain: int) -> Floats:
    return np.linspace(1, _LAST_SEED, _seed_count(papers, certain))


def _near_seeds(space: PaperSpace, seeds: Floats, weights: Floats) -> Floats:
    """Return how far each paper is from the centre of all papers in the direction of the best seeds."""
    best = np.argsort(-seeds, kind="stable")[: len(weights)]
    centre: Floats = (space.reduced[best] * weights[:, None]).sum(axis=0) / weights.sum()
    return np.asarray(space.reduced @ (centre - space.reduced.mean(axis=0)))


def _words_of_nearest(space: PaperSpace, positions: Floats, count: int) -> Floats:
    """Return how much more often the words of each paper occur in the papers that are nearest to the topic."""
    nearest = np.argsort(-positions, kind="stable")[:count]
    everywhere = np.asarray(space.occurs.mean(axis=0)).ravel()
    among = np.asarray(space.occurs[nearest].sum(axis=0)).ravel()
    ratio = np.log((among + _PRIOR * everywhere) / (len(nearest) + _PRIOR) / everywhere)
    return (space.vectors @ ratio) / space.lengths


def _calibrate(positions: Floats, certain: Floats, near: Floats, count: int) -> tuple[float, float]:
    """Return slope and offset that make positions a probability, see the module's text.

    How likely each paper is about the topic is estimated from `near`, on which keywords have little influence, by
    expectation maximization: certain seeds are about the topic, other papers with the probability that follows from
    their position and from the share of certain seeds among the papers about the topic.
    """
    rare = float(certain.mean())
    likely = _logistic_fit(scale := _standard(near), certain, np.array([0.0, math.log(rare / (1 - rare))]))
    nearest = np.argsort(-near, kind="stable")[:count]
    share = (float(certain[nearest].sum()) + 1) / (len(nearest) + 2)
    for _ in range(_ROUNDS):
        probable = _logistic(scale, likely)
        about = np.where(certain > 0, 1.0, probable * (1 - share) / (1 - probable * share))
        likely = _logistic_fit(scale, about, likely)
        before, share = share, float(certain.sum() / about.sum())
        if abs(share - before) < _SETTLED:
            break
    fitted = _logistic_fit(positions, about, np.array([0.0, math.log(rare / (1 - rare))]))
    return float(fitted[0]), float(fitted[1])


def _logistic(positions: Floats, fitted: Floats) -> Floats:
    return np.asarray(expit(fitted[0] * positions + fitted[1]))


def _logistic_fit(positions: Floats, labels: Floats, start: Floats) -> Floats:
    """Fit label = logistic(slope * position + offset) by Newton's method, with a weak prior on the slope."""
    design = np.column_stack([positions, np.ones_like(positions)])
    prior = np.diag([1e-3, 1e-9])
    fitted = start.copy()
    for _ in range(_NEWTON_ROUNDS):
        probable = _logistic(positions, fitted)
        gradient = design.T @ (labels - probable) - prior @ fitted
        curvature = (design * (probable * (1 - probable))[:, None]).T @ design + prior
        step = np.linalg.solve(curvature, gradient)
        fitted += step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(step).max()) < _CONVERGED:
            break
    return fitted


def _standard(values: Floats) -> Floats:
    """Return values with mean 0 and standard deviation 1."""
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-9))


def _rounded(value: float) -> float:
    """Return a number with as many digits as matter, so that processors that add in another order agree."""
    return float(f"{value:.{_DIGITS}g}")
