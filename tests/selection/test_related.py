"""Which papers are like another, by words and by embeddings."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from digestmail.selection.related import most_like, preselect, search_phrases
from digestmail.selection.tokenize import read_text

CACHE = read_text(
    "A cache that forgets", "We let the memory cache of a model drop old words, so that memory stays flat."
)
LIKE = read_text("Memory caches for long talks", "The memory cache keeps what later turns of a model ask for.")
OTHER = read_text("Shadows as labels", "Shadows move over a street, and teach depth without a laser.")
EMPTY = read_text("", "")


def packed(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}e", *numbers)


def test_the_paper_with_the_same_rare_words_is_like_it_and_one_without_is_not():
    assert most_like(CACHE, [OTHER, LIKE, EMPTY], [], 5) == [1]


def test_nothing_is_like_an_empty_paper():
    assert most_like(EMPTY, [CACHE, EMPTY], [], 5) == []
    assert most_like(CACHE, [], [], 5) == []


def test_embeddings_decide_between_papers_that_are_equally_alike_in_words():
    vectors = [packed(1, 0), packed(-1, 0.5), packed(1, 0.1)]
    assert most_like(CACHE, [LIKE, LIKE], [], 5) == [0, 1]
    assert most_like(CACHE, [LIKE, LIKE], vectors, 5) == [1, 0]


def test_papers_without_an_embedding_are_compared_by_words():
    assert most_like(CACHE, [OTHER, LIKE], [packed(1, 0), b"", b""], 5) == [1]
    assert most_like(CACHE, [OTHER, LIKE], [b"", packed(1, 0), packed(0, 1)], 5) == [1]


def test_phrases_of_the_title_come_first_and_no_stop_word_is_one():
    phrases = search_phrases(
        read_text("Low-rank adapters for the low-rank world", "We adapt what most of the weights do not say."), 6
    )
    assert "low rank" in phrases[:2]
    assert not {"for", "the"} & set(phrases)
    assert len(phrases) == 6


def test_papers_with_the_rarest_phrases_are_compared():
    assert preselect({"model": [9, 8, 7, 6, 5], "cache": [6]}, 2) == [6, 9]
    assert preselect({}, 3) == []


@given(st.lists(st.text(max_size=80), min_size=1, max_size=6))
def test_any_texts_can_be_compared(texts):
    first, *others = (read_text(text, text) for text in texts)
    found = most_like(first, others, [], 3)
    assert len(set(found)) == len(found) <= 3
    assert all(0 <= place < len(others) for place in found)
    assert all(phrase.strip() for phrase in search_phrases(first, 12))
