"""The client of an OpenAI-compatible embeddings endpoint: texts in, vectors out.

`POST {url}/embeddings` with `{"model": ..., "input": [...]}` is served by OpenAI
(https://platform.openai.com/docs/api-reference/embeddings/create), Ollama, llama.cpp, vLLM, LM Studio and Hugging
Face's text-embeddings-inference.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, Self

import httpcore2

from digestmail.clock import Clock
from digestmail.errors import SourceError, SourceRefusedError, SourceThrottledError, SourceUnreadableError
from digestmail.sources.http.body import ACCEPTED_CODINGS
from digestmail.sources.http.connections import Connections
from digestmail.sources.http.failures import proxy_failure, status_failure, translated_errors
from digestmail.sources.http.host_limits import HostLimits
from digestmail.sources.http.network import Budget
from digestmail.sources.http.proxies import ProxyServer
from digestmail.sources.http.request import request_url
from digestmail.sources.http.response import body_of, header_values
from digestmail.sources.http.retry_after import wished_wait
from digestmail.sources.http.ssrf import parse_target

Vector = tuple[float, ...]

_THROTTLED: Final = frozenset({429, 503})
_DEFAULT_PAUSE: Final = 300.0
"""Seconds without requests after a refusal for too many of them that names no time."""
_LONGEST_SLEEP: Final = 10.0
"""Seconds to wait for the host, which may also serve a feed."""
_MOST_DIMENSIONS: Final = 8192
_LARGEST: Final = 60000.0
"""A 16-bit float holds up to 65504."""
_MOST_BYTES_OF_ERROR: Final = 64 * 1024
_LONGEST_REASON: Final = 200
_SHORTEST_SECRET: Final = 4


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
        """Connect to nothing yet. The operator named `url`, so it may be in a private network.

        `timeout` is in seconds, for one request. Texts are cut after `max_characters`. `proxy` is what requests go
        through; None if they are direct.
        """
        self.model = model
        self._target = parse_target(f"{url.rstrip('/')}/embeddings")
        self._api_key = api_key
        self._timeout = timeout
        self._max_body_bytes = max_body_bytes
        self._max_characters = max_characters
        self._clock = clock
        self._host_limits = host_limits
        self._user_agent = user_agent
        self._proxy = proxy
        self._budget = Budget(clock)
        self._connections = Connections(self._budget, user_agent)
        self._connections.allow(None)

    def __enter__(self) -> Self:
        """Return the endpoint itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._connections.close()

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return the vector of each text, in order; all have the same number of dimensions.

        Redirects are not followed, because they would carry texts and key elsewhere. Raises SourceError: throttled
        (429, 503, or the endpoint asked for a pause that is not over), unavailable (other 5xx, no answer in time),
        refused (other 4xx) or unreadable (anything but one finite vector for each text).
        """
        now = self._clock.now()
        wait = (self._host_limits.reserve(self._target.host, now, 0.0) - now).total_seconds()
        if 0 < wait <= _LONGEST_SLEEP:
            self._clock.sleep(wait)
        elif wait > 0:
            raise SourceThrottledError(
                f"{self._target.host} asked for a pause of another {math.ceil(wait)} seconds", retry_after=wait
            )
        cut = [text[: self._max_characters] for text in texts]
        body = json.dumps({"model": self.model, "input": cut}).encode()
        self._budget.start(self._timeout)
        target = self._target
        with (
            translated_errors(target, self._proxy, self._timeout),
            self._connections.pool(self._proxy).stream(
                "POST",
                request_url(target, self._proxy),
                headers=self._headers(len(body)),
                content=body,
                extensions={"sni_hostname": target.host},
            ) as response,
        ):
            if response.status != HTTPStatus.OK:
                raise self._failure(response)
            content = body_of(response, header_values(response), target, self._max_body_bytes)
        try:
            return parse_vectors(content, len(texts))
        except ValueError as error:
            raise SourceUnreadableError(f"{target.shown} answered {error}", status=response.status) from error

    def _headers(self, length: int) -> list[tuple[bytes, bytes]]:
        headers = {
            "Host": self._target.authority,
            "User-Agent": self._user_agent,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPTED_CODINGS,
            "Content-Type": "application/json",
            "Content-Length": str(length),
        }
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]

    def _failure(self, response: httpcore2.Response) -> SourceError:
        """Return the error for an answer that is no success; a server that asks for a pause gets it."""
        status, headers = response.status, header_values(response)
        if status in _THROTTLED:
            now = self._clock.now()
            wished = wished_wait(headers, now)
            wait = _DEFAULT_PAUSE if wished is None else wished
            self._host_limits.block(self._target.host, now + timedelta(seconds=wait))
            why = f"{self._target.shown} answered {status}: no requests for {math.ceil(wait)} seconds"
            return SourceThrottledError(why, retry_after=wait, status=status)
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED and self._proxy is not None:
            return proxy_failure(self._proxy, str(status))
        if status == HTTPStatus.UNAUTHORIZED:
            hint = "is wrong" if self._api_key else "is missing: set api_key_file"
            return status_failure(status, self._target, f"; the key in [embeddings] {hint}")
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            where = "; redirects are not followed: set embeddings.url to the final address"
            return SourceRefusedError(f"{self._target.shown} answered {status}{where}", status=status)
        return status_failure(status, self._target, self._reason(response))

    def _reason(self, response: httpcore2.Response) -> str:
        """Return what the server says about its refusal, without the key, which some servers repeat."""
        try:
            limit = min(self._max_body_bytes, _MOST_BYTES_OF_ERROR)
            found = json.loads(body_of(response, header_values(response), self._target, limit))
        except (ValueError, RecursionError, SourceUnreadableError):
            return ""
        said = found.get("error", found.get("message")) if isinstance(found, dict) else None
        said = said.get("message") if isinstance(said, dict) else said
        if not isinstance(said, str):
            return ""
        if self._api_key and len(self._api_key) >= _SHORTEST_SECRET:
            said = said.replace(self._api_key, "(key)")
        line = "".join(one if one.isprintable() else " " for one in said[:_LONGEST_REASON])
        return f": {line}" if line.strip() else ""


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
