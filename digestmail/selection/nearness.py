"""How near texts are to the papers of a day: the cosine of their term vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from digestmail.selection.term_weights import TermWeights
from digestmail.selection.terms import each_word_once
from digestmail.selection.tokenize import Text

Near = NDArray[np.float32]

_BLOCK = 1_000
"""How many texts are compared at a time, which bounds the memory."""


class Nearness:
    """The papers of a day as vectors. Texts are compared with them by the terms that both contain."""

    def __init__(self, papers: Sequence[Text], weights: TermWeights) -> None:
        """Take the vectors of `papers`."""
        self._weights = weights
        self.vectors = tuple(weights.vector(text) for text in papers)
        self._terms: dict[str, int] = {}
        for vector in self.vectors:
            for term in vector:
                self._terms.setdefault(term, len(self._terms))
        self._by_paper = self._matrix(self.vectors)
        self._papers = self._by_paper.T.tocsr()

    def to(self, texts: Iterable[Text]) -> Near:
        """Return the cosine (0..1) of each text and each paper: one row for each text."""
        vectors = map(self._weights.vector, texts)
        blocks = iter(lambda: list(islice(vectors, _BLOCK)), [])
        rows = [(self._matrix(block) @ self._papers).toarray() for block in blocks]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.vectors)), dtype=np.float32)

    def between(self, places: NDArray[np.intp], others: NDArray[np.intp]) -> Near:
        """Return the cosine of each paper at `places` and each one at `others`: one row for each of `places`."""
        near: Near = (self._by_paper[places] @ self._by_paper[others].T).toarray()
        return near

    def shared(self, text: Text, place: int, most: int) -> list[str]:
        """Return the terms that contribute most to the cosine of a text and the paper at `place`, strongest first."""
        vector = self.vectors[place]
        products = {term: weight * vector.get(term, 0.0) for term, weight in self._weights.vector(text).items()}
        ranked = sorted(
            (term for term, product in products.items() if product), key=lambda term: (-products[term], term)
        )
        return list(islice(each_word_once(ranked), most))

    def _matrix(self, vectors: Sequence[Mapping[str, float]]) -> sparse.csr_matrix:
        starts, places, values = [0], [], []
        for vector in vectors:
            for term, weight in vector.items():
                place = self._terms.get(term)
                if place is not None:
                    places.append(place)
                    values.append(weight)
            starts.append(len(places))
        numbers = np.array(values, dtype=np.float32)
        return sparse.csr_matrix((numbers, places, starts), shape=(len(vectors), len(self._terms)))
