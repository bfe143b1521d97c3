"""Embeddings: what makes vectors of texts, and how a vector is stored."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Protocol


class Embedder(Protocol):
    """Makes vectors of texts; `sources.embeddings.EmbeddingsEndpoint`."""

    @property
    def model(self) -> str:
        """The name of the model."""
        ...

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """Return the vector of each text, in order: finite numbers, not all zero. Raises SourceError."""
        ...


def packed(vector: Sequence[float]) -> bytes:
    """Return the vector of length 1 in the direction of `vector`, as little-endian 16-bit floats."""
    length = math.hypot(*vector)
    return struct.pack(f"<{len(vector)}e", *(one / length for one in vector))
