"""Embeddings add to what words say when topics are learned, and without them nothing changes."""

from __future__ import annotations

from random import Random

import corpus
import numpy as np
import pytest
from corpus import FIELDS, LAW, OPTICS
from hypothesis import given, settings
from hypothesis import strategies as st

from digestmail.model.digests import Topic
from digestmail.model.embeddings import packed
from digestmail.selection.embedded import EmbeddedPapers
from digestmail.selection.learning import FEWEST_PAPERS, learn
from digestmail.selection.tokenize import read_text
from digestmail.selection.topic_model import dump, embedded_words

TEXTS = [read_text(*paper) for paper in corpus.papers(FEWEST_PAPERS)]
TOPICS = [OPTICS, LAW]


def field_vectors(seed: int = 1) -> list[bytes]:
    """Return vectors of two dimensions a field, close to the field's own direction."""
    random = Random(seed)
    found = []
    for number in range(len(TEXTS)):
        place = number % len(FIELDS)
        vector = [random.gauss(0, 0.2) for _ in FIELDS]
        vector[place] += 1
        found.append(packed(vector))
    return found


@pytest.fixture(scope="module")
def by_words() -> list[str]:
    return [dump(model) for model in learn(TEXTS, TOPICS) if model is not None]


def learned(embeddings: list[bytes], topics: list[bytes] | None = None) -> list[str]:
    return [dump(model) for model in learn(TEXTS, TOPICS, embeddings, topics or []) if model is not None]


@pytest.mark.parametrize("known", [0, 1, FEWEST_PAPERS - 1])
def test_with_too_few_embeddings_the_result_is_that_of_words_alone(by_words, known):
    assert learned([*field_vectors()[:known], *[b""] * (len(TEXTS) - known)]) == by_words


def test_embeddings_change_the_result_and_give_the_same_each_time(by_words):
    first = learned(field_vectors())
    assert first != by_words
    assert learned(field_vectors()) == first


def test_the_embedding_of_the_topic_counts_and_one_of_another_length_does_not():
    of_topics = [packed([1.0, 0, 0, 0]), packed([0, 1.0, 0, 0])]
    without = learned(field_vectors())
    assert learned(field_vectors(), of_topics) != without
    assert learned(field_vectors(), [packed([1.0, 0, 0]), packed([0, 1.0])]) == without


def test_papers_near_the_seeds_and_the_topic_come_first():
    embedded = EmbeddedPapers.of(field_vectors(), FEWEST_PAPERS)
    assert embedded is not None
    seeds = np.array([float(number % len(FIELDS) == 2) for number in range(len(TEXTS))])
    for topic in (b"", packed([0, 0, 1.0, 0])):
        positions = embedded.positions(seeds, np.ones(30), topic)
        best = np.argsort(-positions)[: len(TEXTS) // len(FIELDS)]
        assert {int(number) % len(FIELDS) for number in best} == {2}


def test_papers_without_a_vector_stay_in_the_middle():
    vectors = [b"" if number % 2 else vector for number, vector in enumerate(field_vectors())]
    embedded = EmbeddedPapers.of(vectors, 10)
    assert embedded is not None
    positions = embedded.positions(np.arange(len(TEXTS), dtype=float), np.ones(30), b"")
    assert not positions[1::2].any()
    assert positions[::2].mean() == pytest.approx(0, abs=1e-9)
    assert positions[::2].std() == pytest.approx(1)


@settings(max_examples=50)
@given(st.lists(st.sampled_from([0, 1, 2, 3]), min_size=1, max_size=30), st.integers(0, 40))
def test_vectors_of_any_lengths_give_finite_positions_or_none(sizes, fewest):
    embedded = EmbeddedPapers.of([packed([1.0] * size) if size else b"" for size in sizes], fewest)
    most = max((sizes.count(size) for size in (1, 2, 3)), default=0)
    assert (embedded is None) == (most < max(1, fewest))
    if embedded is not None:
        positions = embedded.positions(np.ones(len(sizes)), np.ones(5), packed([1.0]))
        assert np.isfinite(positions).all()


def test_the_words_of_a_topic_are_its_name_sentence_and_keywords():
    assert embedded_words(OPTICS) == "Light. laser, lens, beam"
    assert embedded_words(Topic(name="A", description=" All of it ", keywords=("b", "c"))) == "A. All of it. b, c"
