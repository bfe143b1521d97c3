"""Papers like a given one: the cosine of their term vectors, and of their embeddings where both have one. Pure.

The candidates are found with the search index by what `search_phrases` returns. How rare a term is, is counted among
the candidates, so nothing has to be learned or stored for this.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from digestmail.selection.terms import frequencies, terms_as_written, terms_of
from digestmail.selection.tokenize import Text, words_of

_TITLE, _PAIR = 3, 2
"""How much a term in the title, and a pair of words, count when phrases are chosen."""
_LEAST = 0.08
"""Papers with a smaller cosine have only common words in common."""


def search_phrases(text: Text, most: int) -> tuple[str, ...]:
    """Return the words and pairs of words by which papers like this one are searched, most telling first."""
    written: dict[str, str] = {}
    weights: Counter[str] = Counter()
    in_title = terms_of(Text(text.title, "", text.title_words, Counter(words_of(text.title))))
    for term, words in terms_as_written(text):
        written.setdefault(term, words)
        weights[term] += _PAIR if " " in term else 1
    ranked = sorted(weights, key=lambda term: (-weights[term] * (_TITLE if term in in_title else 1), term))
    return tuple(written[term] for term in ranked[:most])


def preselect(found: Mapping[str, Sequence[int]], most: int) -> list[int]:
    """Return the rows that contain the most of the rarest phrases, of `found` rows by phrase; newest first if equal."""
    scores: defaultdict[int, float] = defaultdict(float)
    for rows in found.values():
        for row in rows:
            scores[row] += 1 / len(rows)
    return sorted(scores, key=lambda row: (-scores[row], -row))[:most]


def most_like(paper: Text, candidates: Sequence[Text], vectors: Sequence[bytes], most: int) -> list[int]:
    """Return the places of the candidates that are most like a paper, best first.

    `vectors` are the embeddings of the paper and then of each candidate, as little-endian 16-bit floats; empty ones are
    unknown. Without any, only words count.
    """
    near = _cosines([terms_of(text) for text in (paper, *candidates)])
    meaning = _embedded(vectors) or [0.0] * len(near)
    like = [place for place, cosine in enumerate(near) if cosine >= _LEAST]
    return sorted(like, key=lambda place: (-near[place] - meaning[place], place))[:most]


def _cosines(counted: Sequence[Counter[str]]) -> list[float]:
    """Return the cosine of the first text and each of the others, with rarer terms counting more (TF-IDF)."""
    papers_with = Counter(term for terms in counted for term in terms)
    rarity = {term: math.log((1 + len(counted)) / (1 + number)) + 1 for term, number in papers_with.items()}
    ours, *others = ({term: weight * rarity[term] for term, weight in frequencies(terms).items()} for terms in counted)
    length = _length(ours)
    found = []
    for vector in others:
        product = math.fsum(weight * vector[term] for term, weight in ours.items() if term in vector)
        found.append(product / (length * _length(vector)) if product else 0.0)
    return found


def _length(vector: Mapping[str, float]) -> float:
    return math.sqrt(math.fsum(weight * weight for weight in vector.values()))


def _embedded(vectors: Sequence[bytes]) -> list[float]:
    """Return the cosine of the first vector and each of the others; 0, that of unrelated papers, where one is unknown.

    Nothing is returned if the first one is unknown, or is the only one. numpy is only loaded if there are embeddings.
    """
    if not vectors or not vectors[0]:
        return []
    from digestmail.selection.embedded import EmbeddedPapers

    known = EmbeddedPapers.of(vectors, 2)
    return [] if known is None else [float(cosine) for cosine in known.vectors[1:] @ known.vectors[0]]
