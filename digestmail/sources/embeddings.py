"""The client of an OpenAI-compatible embeddings endpoint: texts in, vectors out.

`POST {url}/embeddings` with `{"model": ..., "input": [...]}` is served by OpenAI
(https://platform.openai.com/docs/api-reference/embeddings/create), Ollama, llama.cpp, vLLM, LM Studio and Hugging
Face's text-embeddings-inference.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Self

from digestmail.clock import Clock
from digestmail.sources.http.host_limits import HostLimits
from digestmail.sources.http.proxies import ProxyServer
from digestmail.sources.json_endpoint import JsonEndpoint, unreadable

Vector = tuple[float, ...]

_MOST_DIMENSIONS: Final = 8192
_LARGEST: Final = 60000.0
"""A 16-bit float holds up to 65504."""


class EmbeddingsEndpoint:
    """An embeddings endpoint, one request at a time. Close it, or use it in a `with` statement."""

    def __init__(  # noqa: PLR0913 - keyword-only, each a limit or a collaborator
        self,
        *,
        url: str,
        model: str,
        api_key: str | None,
        timeout: float,
        max_body_bytes: int,
        max_characters: int,
        clock: Clock,
        host_limits: HostLimits,
        user_agent: str,
        proxy: ProxyServer | None = None,
    ) -> None:
        """Connect to nothing yet. Texts are cut after `max_characters`; the rest is as for `JsonEndpoint`."""
        self.model = model
        self._max_characters = max_characters
        self._endpoint = JsonEndpoint(
            table="embeddings",
            address=f"{url.rstrip('/')}/embeddings",
            api_key=api_key,
            timeout=timeout,
            max_body_bytes=max_body_bytes,
            clock=clock,
            host_limits=host_limits,
            user_agent=user_agent,
            proxy=proxy,
        )

    def __enter__(self) -> Self:
        """Return the endpoint itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._endpoint.close()

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return the vector of each text, in order; all have the same number of dimensions.

        Raises SourceError as `JsonEndpoint.post`, unreadable for anything but one finite vector for each text.
        """
        cut = [text[: self._max_characters] for text in texts]
        content = self._endpoint.post({"model": self.model, "input": cut})
        try:
            return parse_vectors(content, len(texts))
        except ValueError as error:
            raise unreadable(self._endpoint.target, error) from error


def parse_vectors(content: bytes, expected: int) -> list[Vector]:
    """Return the vectors of an answer, in the order of the texts. Raises ValueError, a phrase that says what is wrong.

    An answer is `{"data": [{"index": 0, "embedding": [...]}, ...]}`. Where the index is missing, the order counts.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError("no JSON") from error
    rows = found.get("data") if isinstance(found, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("JSON without a list of embeddings (`data`): is this the address of an OpenAI-compatible API?")
    if len(rows) != expected:
        raise ValueError(f"{len(rows)} vectors for {expected} texts")
    by_index = {_index(row, place): _vector(row.get("embedding")) for place, row in enumerate(rows)}
    if by_index.keys() != set(range(expected)):
        raise ValueError("vectors whose indexes are not those of the texts")
    if len(sizes := {len(vector) for vector in by_index.values()}) > 1:
        raise ValueError(f"vectors of different lengths: {', '.join(map(str, sorted(sizes)))}")
    return [by_index[place] for place in range(expected)]


def _index(row: dict[str, Any], place: int) -> int:
    index = row.get("index", place)
    return index if isinstance(index, int) and not isinstance(index, bool) else -1


def _vector(value: Any) -> Vector:
    if not isinstance(value, list) or not value:
        raise ValueError("an embedding that is not a list of numbers")
    if len(value) > _MOST_DIMENSIONS:
        raise ValueError(f"a vector of more than {_MOST_DIMENSIONS} dimensions")
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in value):
        raise ValueError("an embedding that is not a list of numbers")
    if not all(-_LARGEST < one < _LARGEST for one in value):  # also false for NaN
        raise ValueError("a vector with a number that is not finite or too large")
    if not any(value):
        raise ValueError("a vector of zeros")
    return tuple(map(float, value))
