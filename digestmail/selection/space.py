"""Papers as vectors: TF-IDF over terms, and reduced so that papers about the same things are close together.

The reduction is a singular value decomposition (latent semantic analysis, Deerwester et al. 1990). The same papers in
the same order always give the same space.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import svds

from digestmail.selection.terms import frequencies, terms_of
from digestmail.selection.tokenize import Text

Floats = NDArray[np.float64]

_DIMENSIONS, _PAPERS_PER_DIMENSION = 100, 20
_RAREST = 5
"""The number of papers in which a term must occur."""


@dataclass(frozen=True, slots=True)
class PaperSpace:
    """Papers as vectors."""

    terms: Mapping[str, int]
    rarity: Floats
    """ln(papers / papers with the term)."""
    vectors: sparse.csr_matrix
    """Papers by terms: frequency times rarity."""
    occurs: sparse.csr_matrix
    """Papers by terms: 1 where the paper contains the term."""
    lengths: Floats
    reduced: Floats
    """Papers by dimensions, each of length 1."""

    @classmethod
    def of(cls, texts: Sequence[Text]) -> PaperSpace:
        """Return the space of these papers. Raises ValueError if too few words tell groups of them apart."""
        counted = [terms_of(text) for text in texts]
        occurrences = Counter(term for terms in counted for term in terms)
        terms = {term: place for place, term in enumerate(sorted(t for t in occurrences if occurrences[t] >= _RAREST))}
        rarity = np.array([math.log(len(texts) / occurrences[term]) for term in terms])
        vectors = _vectors(counted, terms, rarity)
        lengths = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
        dimensions = min(_DIMENSIONS, len(texts) // _PAPERS_PER_DIMENSION, len(terms) - 1)
        if dimensions < 1 or not rarity.any():
            raise ValueError("the papers have too few words that tell groups of them apart")
        _, _, directions = svds(vectors, k=dimensions, v0=np.ones(min(vectors.shape)), solver="arpack")
        occurs = vectors.copy()
        occurs.data = np.ones_like(occurs.data)
        return cls(terms, rarity, vectors, occurs, np.maximum(lengths, 1e-9), units(vectors @ directions.T))

    def similarity(self, description: Text) -> tuple[Floats, Floats]:
        """Return the cosine of each paper and a text, and how many words they share."""
        query = _vectors([terms_of(description)], self.terms, self.rarity)
        length = math.sqrt(query.multiply(query).sum())
        along = np.asarray((self.vectors @ query.T).todense()).ravel()
        words = np.array([" " not in term for term in self.terms], dtype=float)
        shared = np.asarray((self.occurs @ (query > 0).multiply(words).T).todense()).ravel()
        return along / (self.lengths * max(length, 1e-9)), shared


def units(vectors: Floats) -> Floats:
    """Return vectors (rows) with length 1; zero stays zero."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


def _vectors(counted: Sequence[Counter[str]], terms: Mapping[str, int], rarity: Floats) -> sparse.csr_matrix:
    starts, places, values = [0], [], []
    for counts in counted:
        known = [(terms[term], weight) for term, weight in frequencies(counts).items() if term in terms]
        places += [place for place, _ in known]
        values += [weight for _, weight in known]
        starts.append(len(places))
    shape = (len(counted), len(terms))
    return sparse.csr_matrix((np.array(values) * rarity[places], places, starts), shape=shape)
