"""Caches responses that are the same for everyone, until their content changes.

A route calls `share` to make its response shareable. Shared responses have an entity tag and support conditional
requests (RFC 9110 section 13). Kept ones are also stored in memory, up to a limit. They are found by their path and
those query parameters that the route named; other parameters, and other spellings of the same value, make no
difference.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from anyio.to_thread import run_sync
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digestmail.clock import Clock
from digestmail.web.query_params import normalized

MOST_BYTES: Final = 32_000_000
_LONGEST_KEY: Final = 400
_CHECK_SECONDS: Final = 1.0
"""The database is checked for changes at most once in this time."""
_OLDEST_SECONDS: Final = 600.0
"""Responses are cached for at most this time, because tokens in forms expire."""
_HTTP_OK: Final = 200
SHARED_SECONDS: Final = 60
"""How long browsers and proxies may cache a shared response."""
_Header = tuple[bytes, bytes]
_Key = tuple[str, ...]
_OVERHEAD: Final = 1000
"""What an entry needs in memory besides its texts, in octets; measured with tracemalloc, and rounded up."""


class Sharing(Enum):
    """How a response is shared."""

    TAGGED = auto()
    """With an entity tag, but generated for each request."""
    KEPT = auto()
    """Also stored in memory until its content changes."""
    PRIVATE = auto()
    """With an entity tag, for one person: no proxy may cache it."""


def share(request: Request, how: Sharing, *parameters: str) -> None:
    """Mark the response to `request` as the same for everyone, or for everyone with its secret address.

    The response must not depend on other query parameters than `parameters`, whose values are read with
    `query_params.normalized`.
    """
    request.state.shared = how
    request.state.parameters = parameters


def cache_headers(request: Request, status: int = _HTTP_OK) -> dict[str, str]:
    """Return the Cache-Control header: public or private for shared responses, no-store for others and for errors."""
    if status != _HTTP_OK or not hasattr(request.state, "shared"):
        return {"Cache-Control": "no-store"}
    return PRIVATE if request.state.shared is Sharing.PRIVATE else PUBLIC


PUBLIC: Final = {"Cache-Control": f"public, max-age={SHARED_SECONDS}"}
PRIVATE: Final = {"Cache-Control": f"private, max-age={SHARED_SECONDS}"}


@dataclass(frozen=True, slots=True)
class _Response:
    headers: tuple[_Header, ...]
    body: bytes
    etag: bytes
    created_at: float

    def size(self) -> int:
        """Return the octets of the headers and the body."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


@dataclass(frozen=True, slots=True)
class _Parameters:
    """The names of the query parameters that the responses at a path depend on."""

    names: tuple[str, ...]

    def size(self) -> int:
        """Return the octets of the names, which are in the code once."""
        return 0


class ResponseCache:
    """ASGI middleware that caches shared responses. Only used from the event loop."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        version: Callable[[], str],
        clock: Clock,
        any_host: bool,
        language: Callable[[str], str],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Cache responses of `app` while `version`, which may block, returns the same value.

        With `any_host`, pages do not depend on the Host header. `language` maps an Accept-Language header to one of the
        available languages; responses that vary by language are cached for each.
        """
        self._app = app
        self._version_of = version
        self._clock = clock
        self._any_host = any_host
        self._language = language
        self._most_bytes = most_bytes
        self._version = ""
        self._checked_at: float | None = None
        self._bytes = 0
        self._entries: OrderedDict[_Key, _Response | _Parameters] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond from memory, or call the app."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        await self._check_version()
        place = self._place(scope, headers)
        kept = self._find(place, scope, headers)
        if kept is not None and self._clock.monotonic() - kept.created_at < _OLDEST_SECONDS:
            await _send(kept, headers, send)
            return
        await self._call_app(scope, receive, send, place, headers)

    async def _check_version(self) -> None:
        now = self._clock.monotonic()
        if self._checked_at is not None and now - self._checked_at < _CHECK_SECONDS:
            return
        self._checked_at = now
        version = await run_sync(self._version_of)
        if version != self._version:
            self._version = version
            self._entries.clear()
            self._bytes = 0

    def _place(self, scope: Scope, headers: Mapping[str, str]) -> _Key:
        where = () if self._any_host else (str(scope.get("scheme")), headers.get("host", ""))
        return (*where, str(scope["path"]))

    def _find(self, place: _Key, scope: Scope, headers: Mapping[str, str]) -> _Response | None:
        """Return the kept response, which becomes the one that is deleted last."""
        parameters = self._entries.get(place)
        if not isinstance(parameters, _Parameters):
            return None
        for key in self._keys(place, parameters.names, scope, headers):
            kept = self._entries.get(key)
            if isinstance(kept, _Response):
                self._entries.move_to_end(place)
                self._entries.move_to_end(key)
                return kept
        return None

    def _keys(self, place: _Key, names: tuple[str, ...], scope: Scope, headers: Mapping[str, str]) -> tuple[_Key, _Key]:
        """Return the keys of a response in the language of the request, and of one that is the same in all."""
        given = QueryParams(scope["query_string"])
        values = (normalized(given, name) for name in names)
        parts = (*place, *("?" if value is None else f"={value}" for value in values))
        return (*parts, self._language(headers.get("accept-language", ""))), (*parts, "*")

    async def _call_app(self, scope: Scope, receive: Receive, send: Send, place: _Key, headers: Headers) -> None:
        """Call the app. A shared response is held back until it is complete."""
        state: dict[str, object] = scope.setdefault("state", {})
        version = self._version
        start: Message | None = None
        body: list[bytes] = []

        async def capture(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and message["status"] == _HTTP_OK and "shared" in state:
                start = message
            elif start is None or message["type"] != "http.response.body":
                await send(message)
            else:
                body.append(message.get("body", b""))
                if not message.get("more_body", False):
                    response = _tagged(start["headers"], b"".join(body), self._clock.monotonic())
                    if state["shared"] is Sharing.KEPT and version == self._version:
                        names = state["parameters"]
                        assert isinstance(names, tuple)  # noqa: S101 - `share` sets both
                        own, common = self._keys(place, names, scope, headers)
                        self._store(own if _varies(response) else common, response)
                        self._store(place, _Parameters(names))
                    await _send(response, headers, send)

        await self._app(scope, receive, capture)

    def _store(self, key: _Key, entry: _Response | _Parameters) -> None:
        if entry.size() > self._most_bytes // 10 or sum(map(len, key)) > _LONGEST_KEY:
            return
        old = self._entries.pop(key, None)
        self._bytes -= _cost(key, old) if old else 0
        self._entries[key] = entry
        self._bytes += _cost(key, entry)
        while self._bytes > self._most_bytes:
            self._bytes -= _cost(*self._entries.popitem(last=False))


def _cost(key: _Key, entry: _Response | _Parameters) -> int:
    """Return about how many octets of memory an entry needs, with its key."""
    return _OVERHEAD + sum(map(len, key)) + entry.size()


def _varies(response: _Response) -> bool:
    return any(name == b"vary" and b"accept-language" in value.lower() for name, value in response.headers)


def _tagged(headers: list[_Header], body: bytes, now: float) -> _Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'.encode()
    return _Response(headers=(*headers, (b"etag", etag)), body=body, etag=etag, created_at=now)


async def _send(response: _Response, headers: Mapping[str, str], send: Send) -> None:
    condition = headers.get("if-none-match")
    same = condition is not None and (condition.strip() == "*" or response.etag.decode() in _tags(condition))
    left = [pair for pair in response.headers if not same or pair[0] not in {b"content-length", b"content-type"}]
    await send({"type": "http.response.start", "status": 304 if same else _HTTP_OK, "headers": left})
    await send({"type": "http.response.body", "body": b"" if same else response.body})


def _tags(field: str) -> set[str]:
    """Return the tags of If-None-Match. Weak tags match too (RFC 9110 section 13.1.2)."""
    return {tag.strip().removeprefix("W/") for tag in field.split(",")}
