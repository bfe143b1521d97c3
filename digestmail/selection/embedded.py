"""Papers as vectors of an embedding model: how near each is to a topic's words and to its best seeds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digestmail.selection.space import Floats, units


@dataclass(frozen=True, slots=True)
class EmbeddedPapers:
    """The embeddings of papers, less their mean, each of length 1. Papers without one are rows of zeros."""

    vectors: Floats
    mean: Floats
    known: np.typing.NDArray[np.bool_]

    @classmethod
    def of(cls, stored: Sequence[bytes], fewest: int) -> EmbeddedPapers | None:
        """Return the papers with these vectors (little-endian 16-bit floats); an empty one is unknown.

        If their lengths differ, the most frequent one counts, and the others are unknown. Returns None if fewer than
        `fewest` are known.
        """
        sizes = Counter(len(vector) for vector in stored if vector)
        size, number = max(sizes.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        if number < max(1, fewest):
            return None
        known = np.array([len(vector) == size for vector in stored])
        rows = np.stack([_numbers(vector) for vector in stored if len(vector) == size])
        mean = np.asarray(rows.mean(axis=0))
        vectors = np.zeros((len(stored), rows.shape[1]))
        vectors[known] = units(rows - mean)
        return cls(vectors, mean, known)

    def positions(self, seeds: Floats, weights: Floats, topic: bytes) -> Floats:
        """Return how near each paper is to a topic, with mean 0; papers without a vector are at 0.

        `seeds` ranks papers, and `weights` are those of the best. Near is what has a high cosine with the embedding of
        the topic's words and with the centre of the best seeds that have a vector, in equal parts. `topic` is empty if
        that embedding is unknown.
        """
        order = np.argsort(-seeds, kind="stable")
        best = order[self.known[order]][: len(weights)]
        weights = weights[: len(best)]
        # The mean of what is known: rows of zeros add nothing.
        middle = self.vectors.sum(axis=0) / self.known.sum()
        centre = (self.vectors[best] * weights[:, None]).sum(axis=0) / weights.sum() - middle
        near = self._standard(self.vectors @ centre)
        if len(topic) == self.vectors.shape[1] * 2:
            near += self._standard(self.vectors @ units(_numbers(topic)[None, :] - self.mean)[0])
        return near

    def _standard(self, values: Floats) -> Floats:
        """Return values with mean 0 and standard deviation 1 among the papers with a vector, 0 for the others."""
        known = values[self.known]
        return np.asarray(np.where(self.known, (values - known.mean()) / max(float(known.std()), 1e-9), 0.0))


def _numbers(vector: bytes) -> Floats:
    return np.frombuffer(vector, dtype="<f2").astype(np.float64)
